# Replaces a loaded job of launchd by what is in a file, whatever becomes of the program that asked for it: between the
# end of the old job and the beginning of the new one nobody else would load it.
#
#   sh -c THIS swap DOMAIN LABEL PLIST FALLBACK SECONDS
#
# FALLBACK, where it is not empty, is loaded when PLIST cannot be. Exits 0 when one of them is loaded.
domain=$1 label=$2 plist=$3 fallback=$4 seconds=$5

# One call of launchctl, which may hang.
call() {
    launchctl "$@" >/dev/null 2>&1 &
    pid=$!
    { sleep 8; kill -9 "$pid"; } >/dev/null 2>&1 &
    watch=$!
    wait "$pid"
    code=$?
    kill "$watch" 2>/dev/null
    return "$code"
}

begun=$(date +%s)
call bootout "$domain/$label"
said=$?
while call print "$domain/$label"; [ $? != 113 ]; do
    [ $(($(date +%s) - begun)) -lt "$seconds" ] || break
    sleep 0.3
    # What was answered by anything else may not have been heard.
    [ "$said" = 0 ] || { call bootout "$domain/$label"; said=$?; }
done

for file in "$plist" "$fallback"; do
    [ -n "$file" ] || continue
    begun=$(date +%s)
    while [ $(($(date +%s) - begun)) -lt 10 ]; do
        call enable "$domain/$label"
        call bootstrap "$domain" "$file"
        call print "$domain/$label" && exit 0
        sleep 0.3
    done
done
exit 1
