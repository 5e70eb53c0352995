#!/bin/sh
# render.sh OUT [KEY=VALUE…]: writes the sample configuration into OUT with its @KEYS@
# filled in from 'defaults' and the arguments. Never writes over a file whose content it
# did not make: an existing file is kept as FILE.before-furrow.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { echo 'usage: render.sh OUT [KEY=VALUE…] (keys: see defaults)' >&2; exit 2; }
out=$1
shift
mkdir -p "$out"
script=$(
    { printf '%s\n' "$@"; grep -v '^#' "$here/defaults"; } | while IFS='=' read -r key value; do
        [ -z "$key" ] || printf 's|@%s@|%s|g\n' "$key" "$value"
    done
)
for template in "$here"/*.conf; do
    file=$out/$(basename "$template")
    if [ -f "$file" ] && ! grep -q '^; from Furrow' "$file"; then
        mv "$file" "$file.before-furrow"
    fi
    sed "$script" "$template" >"$file"
    case $file in */ari.conf) chmod 640 "$file" ;; esac
done
