# Lets one perl run its program many times: "perl -I DIRECTORY -MForks PROGRAM".
#
# Compiling the program takes most of its start.  When INIT begins, all is compiled: here, perl waits for requests, one
# line each, "DIRECTORY<tab>LOG<tab>ARGUMENT<tab>...", and answers each with a process id.  That process, in a group of
# its own, runs the program in DIRECTORY with these arguments and with LOG as its output, from its first statement on.
package Forks;
use strict;
use warnings;
use IO::Handle;
use POSIX ();

sub serve {
    $SIG{CHLD} = 'IGNORE';
    STDOUT->autoflush(1);
    while (defined(my $request = <STDIN>)) {
        my $child = fork() // die "fork: $!";
        if (!$child) {
            become($request);
            return;
        }
        POSIX::setpgid($child, $child);
        print "$child\n";
    }
    POSIX::_exit(0);
}

sub become {
    chomp(my $request = shift);
    (my $directory, my $log, @ARGV) = split /\t/, $request, -1;
    $SIG{CHLD} = 'DEFAULT';
    POSIX::setpgid(0, 0);
    chdir $directory              or die "$directory: $!";
    open STDIN,  '<', '/dev/null' or die "/dev/null: $!";
    open STDOUT, '>', $log        or die "$log: $!";
    open STDERR, '>&', \*STDOUT   or die "$log: $!";
    STDOUT->autoflush(0);
}

INIT { serve() }

1;
