"""The wire contract: streams, messages, endpoints, sockets. Nothing here knows what a message is for."""
