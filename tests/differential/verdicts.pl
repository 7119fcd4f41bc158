# verdicts.pl PROGRAM: what ldirectord says of one configuration after the other, without starting it for each.
#
# Runs PROGRAM's own text up to where it would begin to work, and then calls its own reading of a configuration.
# Standard input: the path of a file a line.  Standard output: for each the line of the error that ends the reading, or
# "taken".  Run it where ./ipvsadm exists.
use strict;
use warnings;
no warnings 'once';

my $program = shift @ARGV;
open(my $source, '<', $program) or die "$program: $!";
my $text = do { local $/; <$source> };
close($source);

# The first call at the left margin is where the work begins.
$text =~ s/^ld_init\(\);$/return 1;/m or die "$program is not the ldirectord that this was written for";
# No monitor file is opened: any path will do, but none at all will not.
$text =~ s/open\(MONITORFILE, ">>\$monitorfile"\)/(\$monitorfile =~ m{\\S})/;
$text =~ s/close\(MONITORFILE\)/1/;
$ENV{PERLIO} = 'perlio';
@ARGV = ('-d');
$0 = $program;
eval("no strict; no warnings; package main; $text; 1") or die $@;

{
    no warnings 'redefine';
    no strict 'refs';
    *{'main::config_error'} = sub { die "refused at $_[0]\n" };
    *{'main::config_warn'} = sub { };
    *{'main::ld_log'} = sub { };
    *{'main::ld_debug'} = sub { };
}

$| = 1;
while (defined(my $path = <STDIN>)) {
    chomp $path;
    $main::CONFIG = $path;
    local $_;
    eval { main::read_config(); 1 };
    my $error = $@;
    close(CFGFILE);
    print $error eq '' ? "taken\n" : $error =~ /^refused at (-?\d+)$/ ? "$1\n" : "died: " . ($error =~ s/\n/ /gr) . "\n";
}
