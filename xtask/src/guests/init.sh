#!/bin/sh
# What the first process of a Linux guest does: says what it sees, works a little, switches off.
# Each line begins with the domain's name, which is in the device tree's model.
PATH=/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
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
rounds=8
for round in $(seq $rounds); do
    (: & : & wait)
    head -c 1048576 /dev/zero | tr '\0' "$round" > /tmp/a
    cp /tmp/a "/tmp/b$round"
    cmp /tmp/a "/tmp/b$round" || say "load: file $round differs"
done
rm -f /tmp/*
say "load done, $rounds rounds"
say "marker"
poweroff -f
