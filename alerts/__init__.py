"""When a warning opens, what it says and how it is sent: policy, texts, notifiers, outbox."""
