"""The kernel edge: reading and writing IPVS tables.  This package does what it is told and decides nothing.

``backend``  the interface that the rest of the program uses
``codec``    netlink attributes to model types and back; pure, bytes in and bytes out
``procfs``   /proc/net/ip_vs and its neighbours
``netlink``  the backend on a real kernel
``memory``   the backend without one, with the kernel's refusals
"""
