#!/bin/sh
# What the first process of a Linux guest does: says what it sees, works a little, switches off.
# Each line begins with the domain's name, which is in the device tree's model.
PATH=/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
name=$(tr -d '\0' < /proc/device-tree/model)
name=${name#Tabula domain }

say() {
    echo "$name: $*"
}

say "linux $(uname -r) on $(nproc) cpus"
while read -r key value; do
    case "$key" in
    MemTotal:) say "memory $value" ;;
    esac
done < /proc/meminfo
grep -E '^(processor|BogoMIPS|CPU part)' /proc/cpuinfo | while read -r line; do
    say "cpuinfo $line"
done
if [ -r /sys/hypervisor/type ]; then
    read -r type < /sys/hypervisor/type
    say "hypervisor $type"
else
    say "hypervisor none"
fi
read -r console rest < /proc/consoles
say "console $console"

# The load: processes, memory, files that are read back.
load() {
    (: & : & wait)
    head -c 262144 /dev/zero | tr '\0' "$1" > /tmp/a
    cp /tmp/a "/tmp/b$1"
    cmp /tmp/a "/tmp/b$1" || say "load: file $1 differs"
}

# Under an audit: pages of secrets derived from a seed that is drawn now, then work and rest for ever. A record is two
# numbers made of the seed and the number of its page, ten digits each.
if grep -q 'tabula\.audit$' /proc/cmdline; then
    pages=1500
    seed=$(head -c 4 /dev/urandom | od -A n -t u4 | tr -d ' ')
    awk -v seed="$seed" -v pages=$pages 'BEGIN {
        first = (seed * 69069 + 1) % 4294967296
        second = (first * 69069 + 1) % 4294967296
        for (page = 0; page < pages; page++) {
            record = sprintf("%010.0f%010.0f%010.0f", first, second, page)
            for (text = ""; length(text) <= 4066; text = text record) { }
            printf "%-4096s", text
        }
    }' > /tmp/secrets
    say "audit: $name planted $pages pages from seed $seed"
    while :; do
        for round in 1 2 3 4; do
            load $round
        done
        say "audit: a round of load"
        sleep 1
    done
fi

rounds=4
for round in $(seq $rounds); do
    load "$round"
done
rm -f /tmp/*
say "load done, $rounds rounds"
say "marker"
# Nothing tells a first boot from a second: whoever asks for reboots stops the machine when it has seen enough.
if grep -q 'tabula\.reboot$' /proc/cmdline; then
    reboot -f
fi
poweroff -f
