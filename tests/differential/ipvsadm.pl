#!/usr/bin/perl
# ipvsadm.pl: what ldirectord calls of ipvsadm 1.31, on a table in the file ./table instead of a kernel.
#
# It refuses what ipvsadm and the kernel refuse, with their exit status; a test in the lab kernel holds it to both.
# Every change is appended to ./calls with its status.  No modules: it is started for every single change.
use strict;
use warnings;

my $TABLE = './table';
my %SCHEDULERS = map { $_ => 1 } qw(rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh);
my %FLAGS = ('flag-1' => 1, 'flag-2' => 2, 'flag-3' => 4);
my %OWN_FLAGS = (sh => ['sh-fallback', 'sh-port'], mh => ['mh-fallback', 'mh-port']);
my ($USAGE, $KERNEL) = (2, 255);
my @COLUMNS = qw(scheduler timeout mask flags ops);

# --- the table: {service => {scheduler => ..., rows => {destination => [forwarding, weight, upper, lower]}}} --------

my %table;

sub load {
    open(my $file, '<', $TABLE) or return;
    my $service;
    while (my $line = <$file>) {
        chomp $line;
        my ($key, @values) = split /\t/, $line, -1;
        if (@values == @COLUMNS) {
            $service = $table{$key} = {rows => {}};
            @{$service}{@COLUMNS} = @values;
        } else {
            $service->{rows}{$key} = [@values];
        }
    }
}

sub save {
    open(my $file, '>', "$TABLE.new") or die;
    for my $key (sort keys %table) {
        print $file join("\t", $key, @{$table{$key}}{@COLUMNS}), "\n";
        print $file join("\t", $_, @{$table{$key}{rows}{$_}}), "\n" for sort keys %{$table{$key}{rows}};
    }
    close($file);
    rename("$TABLE.new", $TABLE);
}

# --- arguments ------------------------------------------------------------------------------------------------------

sub fail { finish(shift) }

my @given = @ARGV;

sub finish {
    my ($status) = @_;
    if ($given[0] !~ /^-[LS]$/) {
        open(my $calls, '>>', './calls') or die;
        print $calls "$status\t@given\n";
    }
    exit $status;
}

sub number {
    my ($text, $least, $most) = @_;
    return $text =~ /^\d+$/ && $text >= $least && $text <= $most ? $text + 0 : undef;
}

sub octets { my @o = $_[0] =~ /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/; return @o == 4 && !grep({ $_ > 255 } @o) ? join('.', map { $_ + 0 } @o) : undef }

# Host and port of "10.0.0.1:80", "[::1]:80"; brackets stay.
sub place {
    my ($text) = @_;
    my ($host, $port) = $text =~ /^(\[[0-9A-Fa-f:]+\]|[0-9.]+)(?::(\d+))?$/ or return;
    return if $host !~ /^\[/ && !defined($host = octets($host));
    return if defined($port) && $port > 65535;
    return ($host, defined($port) ? $port + 0 : 0);
}

sub flag_bits {
    my ($scheduler, $text) = @_;
    my $bits = 0;
    my $own = $OWN_FLAGS{$scheduler} || [];
    for my $name (split /,/, $text) {
        my ($at) = grep { $own->[$_] eq $name } 0 .. $#{$own};
        fail($USAGE) unless $FLAGS{$name} || defined $at;
        $bits |= $FLAGS{$name} || 1 << $at;
    }
    return $bits;
}

my %option;
my @left = @ARGV;
my $command = shift @left;
while (@left) {
    my $name = shift @left;
    if ($name =~ /^-[gim]$/) { $option{forwarding} = substr($name, 1) }
    elsif ($name =~ /^-[no6]$/ || $name eq '--thresholds') { $option{$name} = 1 }
    elsif ($name =~ /^-[tufsprwxyMb]$/ && @left) { $option{$name} = shift @left }
    else { fail($USAGE) }
}
load();
if ($command eq '-L') { list($option{'--thresholds'}); exit 0 }
if ($command eq '-S') { rules(); exit 0 }

# --- changes --------------------------------------------------------------------------------------------------------

my ($kind) = grep { defined $option{"-$_"} } qw(t u f);
fail($USAGE) unless defined $kind;
my ($key, $service_port, $is_6);
if ($kind eq 'f') {
    my $mark = number($option{-f}, 1, 4294967295);
    fail($USAGE) unless defined $mark;
    $is_6 = $option{-6};
    $key = "f $mark" . ($is_6 ? ' -6' : '');
} else {
    my ($host, $port) = place($option{"-$kind"});
    fail($USAGE) unless defined $host;
    fail($USAGE) if $command eq '-A' && $port == 0 && !defined $option{-p};
    ($key, $service_port, $is_6) = ("$kind $host:$port", $port, $host =~ /^\[/);
}

if ($command eq '-A' || $command eq '-E') {
    my %service = (scheduler => $option{-s}, timeout => '', mask => '', flags => 0, ops => $option{-o} ? 1 : '');
    if (defined $option{-p}) {
        $service{timeout} = number($option{-p}, 1, 2678400);
        fail($USAGE) unless defined $service{timeout};
        $service{mask} = $is_6 ? 128 : '255.255.255.255';
    }
    if (defined $option{-M}) {
        $service{mask} = $is_6 ? number($option{-M}, 1, 128) : octets($option{-M});
        fail($USAGE) unless defined $service{mask} && defined $option{-p};
    }
    $service{flags} = flag_bits($option{-s}, $option{-b}) if defined $option{-b};
    fail($KERNEL) if exists($table{$key}) == ($command eq '-A') || !$SCHEDULERS{$option{-s}};
    $table{$key} = {%service, rows => $command eq '-A' ? {} : $table{$key}{rows}};
} elsif ($command eq '-D') {
    delete $table{$key} or fail($KERNEL);
} else {
    my ($host, $port) = place($option{-r});
    fail($USAGE) unless defined $host;
    my $forwarding = $option{forwarding} || 'g';
    # Not for a deletion, which finds the row under the port that it is given.
    $port = $service_port if $kind ne 'f' && $forwarding ne 'm' && $command ne '-d';
    fail($USAGE) if ($host =~ /^\[/) != ($is_6 ? 1 : 0) && $forwarding ne 'i';
    my %limits = (-w => 1, -x => 0, -y => 0);
    for my $name (keys %limits) {
        $limits{$name} = number($option{$name}, 0, 2147483647) if defined $option{$name};
        fail($USAGE) unless defined $limits{$name};
    }
    fail($KERNEL) unless exists $table{$key};
    my $rows = $table{$key}{rows};
    my $name = "$host:$port";
    if ($command eq '-d') {
        delete $rows->{$name} or fail($KERNEL);
    } else {
        fail($KERNEL) if $limits{-y} > $limits{-x} || exists($rows->{$name}) == ($command eq '-a');
        fail($KERNEL) if $host =~ /^(?:0\.0\.0\.0|255\.255\.255\.255|2(?:2[4-9]|3\d)\..*|\[::\]|\[f[ef].*)$/i;
        $rows->{$name} = [$forwarding, @limits{qw(-w -x -y)}];
    }
}
save();
finish(0);

# --- what is printed ------------------------------------------------------------------------------------------------

sub flag_names {
    my ($service) = @_;
    my $names = $OWN_FLAGS{$service->{scheduler}} || ['flag-1', 'flag-2', 'flag-3'];
    return join ',', map { $names->[$_] } grep { $service->{flags} & 1 << $_ } 0 .. $#{$names};
}

sub wider { my ($service) = @_; return $service->{timeout} ne '' && $service->{mask} !~ /^(?:128|255\.255\.255\.255)$/ }

sub list {
    my ($thresholds) = @_;
    print "IP Virtual Server version 1.2.1 (size=4096)\n";
    print $thresholds
        ? "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n"
        : "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n";
    for my $key (sort keys %table) {
        my $service = $table{$key};
        my ($kind, $name, $six) = split / /, $key;
        my $line = {t => 'TCP', u => 'UDP', f => 'FWM'}->{$kind} . "  $name" . ($six ? ' IPv6' : '') . " $service->{scheduler}";
        $line .= ' (' . flag_names($service) . ')' if $service->{flags};
        $line .= " persistent $service->{timeout}" if $service->{timeout} ne '';
        $line .= " mask $service->{mask}" if wider($service);
        $line .= ' ops' if $service->{ops};
        print "$line\n";
        for my $row (sort keys %{$service->{rows}}) {
            my ($forwarding, $weight, $upper, $lower) = @{$service->{rows}{$row}};
            my $word = {g => 'Route', i => 'Tunnel', m => 'Masq'}->{$forwarding};
            printf $thresholds ? ("  -> %-28s %-10u %-10u %-10u %-10u\n", $row, $upper, $lower, 0, 0)
                : ("  -> %-28s %-7s %-6u %-10u %-10u\n", $row, $word, $weight, 0, 0);
        }
    }
}

sub rules {
    for my $key (sort keys %table) {
        my $service = $table{$key};
        my $line = "-A -$key -s $service->{scheduler}";
        $line .= " -p $service->{timeout}" if $service->{timeout} ne '';
        $line .= " -M $service->{mask}" if wider($service);
        $line .= ' -o' if $service->{ops};
        $line .= ' -b ' . flag_names($service) if $service->{flags};
        print "$line\n";
        for my $row (sort keys %{$service->{rows}}) {
            my ($forwarding, $weight) = @{$service->{rows}{$row}};
            print "-a -$key -r $row -$forwarding -w $weight" . ($forwarding eq 'i' ? ' --tun-type ipip' : '') . "\n";
        }
    }
}
