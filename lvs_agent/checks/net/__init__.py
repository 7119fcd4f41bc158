"""The network code of probes: sockets and the poller, TLS, line protocols, datagrams, threads, and errors."""
