#!/bin/bash
# Runs inside the machine: each case prints "NAME<TAB>STATUS<TAB>OUTPUT".
skep=$1
bomb=$2
G=/sys/fs/cgroup

say() { # NAME COMMAND...
	local name=$1 out
	shift
	out=$("$@" 2>/dev/null)
	printf '%s\t%s\t%s\n' "$name" $? "$(printf %s "$out" | tr '\n' ' ')"
}

left() { # what of ours the hierarchy still holds
	find $G -mindepth 1 -type d \( -name 'skep-*' -o -name 'engine-*' \) |
	    wc -l
}

# Write our own pid, then become the command: starts in that group.
within() { # GROUP COMMAND...
	local group=$1
	shift
	sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

as_somebody() { # GROUP COMMAND...
	local group=$1
	shift
	within "$group" setpriv --reuid 1000 --regid 1000 --clear-groups \
	    --inh-caps=-all "$@"
}

chmod 755 "$(dirname "$bomb")"

x() { # OPTION... -- COMMAND...
	"$skep" exec --ro-bind "$(dirname "$bomb"):/attack" --json "$@"
}

say root-plain x -- true
say root-oom x --mem 32M -- /attack/bomb memory
say root-tmpfs x --profile bare --mem 32M -- /attack/bomb tmp
say root-pids x --pids 20 -- /attack/bomb forks
# shellcheck disable=SC2016
say root-cpu x --profile bare --cpus 0.1 --timeout 20 -- \
    sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
say root-sees x --profile bare -- cat /proc/self/cgroup
say root-delivery x --profile delivery -- true
say root-left left

# Where a login puts us: a group with other processes beside us.
mkdir -p $G/slice/scope
echo '+memory +pids +cpu' > $G/cgroup.subtree_control
sleep 1000 &
echo $! > $G/slice/scope/cgroup.procs
say scope-oom within $G/slice/scope "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json --mem 32M -- /attack/bomb memory
say scope-left left

# A group that was delegated to somebody, who is alone in it.
mkdir -p $G/delegated
chown -R 1000:1000 $G/delegated
say somebody-oom as_somebody $G/delegated "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json --mem 32M -- /attack/bomb memory
say somebody-pids as_somebody $G/delegated "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json --pids 20 -- /attack/bomb forks
say somebody-delivery as_somebody $G/delegated "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json --profile delivery -- true
say somebody-doctor as_somebody $G/delegated "$skep" doctor --json
say somebody-left left

# Nothing was delegated to this one.
mkdir -p $G/foreign
say foreign-draft as_somebody $G/foreign "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json -- true
say foreign-delivery as_somebody $G/foreign "$skep" exec \
    --ro-bind "$(dirname "$bomb"):/attack" --json --profile delivery -- true

# The engine dies; the next start removes what it left.
"$skep" exec -- sh -c 'setsid sleep 500 & sleep 500' &
engine=$!
sleep 1
say killed-before left
kill -9 "$engine"
wait "$engine" 2>/dev/null
sleep 1
say killed-processes pgrep -c -f 'sleep 500'
"$skep" exec -- true
say killed-left left
