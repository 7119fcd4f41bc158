"""Access to the kernel: reads and writes IPVS tables.  This package applies operations and decides nothing.

``backend``       the interface that the rest of the program uses
``uapi``          numbers of the kernel's header
``wire``          netlink messages and attributes as bytes; pure
``codec``         attributes to model types and back; pure, bytes in and bytes out
``counted``       the counters and rates of a row; pure
``rows``          decodes the rows of a reading with the help of the previous reading; pure
``procfs``        /proc/net/ip_vs and related files
``conversation``  one netlink socket: sends requests, returns complete answers
``netlink``       the backend on a real kernel
``memory``        the backend without a kernel, with the kernel's refusals
``ipvsadm``       a table as ipvsadm's rules
``namespace``     whether this process may use the kernel's IPVS, and a network namespace for it
"""
