"""How probes talk: sockets and the poller, TLS, line protocols, datagrams, threads, and what an error means."""
