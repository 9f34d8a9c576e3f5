#!/bin/sh
# What the maintainer scripts of the .deb and the .rpm have in common; scripts/package puts it before each of them.
#
# A service is the package's if it runs the package's program, whoever's manager has it. What a gateway keeps is the
# package's unless its unit is a file of its own in /etc/systemd/system: then `gateway install` made it, and
# `gateway uninstall` is what removes it.
set -e

program=/usr/bin/idlehands

# Nobody's manager may hold up everybody's upgrade.
ask() {
    timeout 60 systemctl "$@" </dev/null
}

# Runs a function with the options that lead to each manager that runs: the machine's, and every user's.
for_each_manager() {
    [ -d /run/systemd/system ] || return 0
    "$@" --system || :
    for uid in $(ask list-units --no-legend --plain --state=running 'user@*.service' |
        sed -n 's/^user@\([0-9]*\)\.service.*/\1/p'); do
        "$@" --user "--machine=$uid@" || :
    done
}

reread() {
    ask "$@" daemon-reload
}

# The services of one manager that run the package's program.
ours() {
    ask "$@" list-units --no-legend --plain 'idlehands-gateway*.service' | while read -r unit _; do
        case $(ask "$@" show --property ExecStart --value "$unit") in
        *path=$program\ *) echo "$unit" ;;
        esac
    done
}

# Restarts what runs; what is down stays down. A user's gateway is not waited for.
restart_running() {
    for unit in $(ours "$@"); do
        case $1 in
        --system) timeout 120 systemctl "$@" try-restart "$unit" </dev/null || : ;;
        *) ask "$@" --no-block try-restart "$unit" || : ;;
        esac
    done
}

stop_running() {
    for unit in $(ours "$@"); do
        timeout 120 systemctl "$@" stop "$unit" </dev/null || :
    done
}

# The machine's own gateway has a token from the start, so that its unit can be enabled as it is.
configure_machine() {
    [ -e /etc/idlehands-gateway/idlehands.json ] || $program --system setup >/dev/null 2>&1 ||
        echo "idlehands: could not configure the system service; run: sudo idlehands --system setup" >&2
}

# Removes the links that enabled units which are gone.
forget_links() {
    for link in /etc/systemd/system/*.wants/idlehands-gateway*.service \
        /etc/systemd/user/*.wants/idlehands-gateway*.service; do
        [ ! -L "$link" ] || [ -e "$link" ] || rm -f "$link"
    done
}

# Removes what the machine's gateways keep, but not of those that `gateway install` made. Nobody's home is touched.
forget_gateways() {
    for kept in /etc /var/lib /var/lib/private /var/log /var/log/private /var/lib/idlehands; do
        for dir in "$kept"/idlehands-gateway "$kept"/idlehands-gateway-*; do
            unit=/etc/systemd/system/${dir##*/}.service
            if [ ! -f "$unit" ] || [ -L "$unit" ]; then
                rm -rf "$dir"
            fi
        done
    done
    [ ! -d /var/lib/idlehands ] || rmdir --ignore-fail-on-non-empty /var/lib/idlehands
}
