"""Every decision of the program, as pure functions: no clock, no socket, no log, no await.

``health``     results of a check to its state
``pool``       states of real servers to what each destination should be, and why
``desired``    the pool's answer to a table
``reconcile``  two tables to the operations between them
``decide``     one round's decision: all of the above in one step
``describe``   operations in words
``tally``      what a change of health adds to the status of a real server
``snapshot``   what readers see, frozen
``maintenance``, ``sorry_command``, ``monitor_line``   whom a file in the maintenance directory means, what a sorry
               command is called with, a result as a line of a monitor file (with ``http_status``)
"""
