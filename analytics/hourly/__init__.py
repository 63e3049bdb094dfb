"""The course of the next three days by hours: what is known, the model, and its score."""
