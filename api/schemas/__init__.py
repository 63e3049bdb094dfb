"""The shapes of requests and answers, one file per resource; they only grow within v1."""
