"""QC tests as plug-ins, and the judge that runs them."""
