"""The phone app and the console: pages rendered on the server, whole without JavaScript."""
