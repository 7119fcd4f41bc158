#!/usr/bin/perl
# A check of type external-perl: the second host is never well.
exit($ARGV[2] eq '10.0.0.2' ? 1 : 0);
