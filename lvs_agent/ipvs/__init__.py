"""The kernel edge: reading and writing IPVS tables.  This package applies operations and decides nothing.

``backend``       the interface that the rest of the program uses
``uapi``          numbers of the kernel's header
``wire``          netlink messages and attributes as bytes; pure
``codec``         attributes to model types and back; pure, bytes in and bytes out
``counted``       what the kernel has counted of a row; pure
``rows``          the rows of a reading, knowing those of the reading before it; pure
``procfs``        /proc/net/ip_vs and its neighbours
``conversation``  one netlink socket: requests out, whole answers in
``netlink``       the backend on a real kernel
``memory``        the backend without one, with the kernel's refusals
``ipvsadm``       a table as ipvsadm's rules
``namespace``     whether the kernel's IPVS may be used, and a network namespace to use it in
"""
