"""From a journalled message to rows: decoders, routing, conversion, pipeline."""
