#!/usr/bin/env bash
# Measures lines per second and resident memory over time for every record format, with the built-in model.
#
#     benches/tables.sh [--lines N] [--task TASK] [--formats "jsonl csv"] [ALBERT] [-- OPTION...]
#
# ALBERT defaults to ALBERT_BIN, then target/release/albert. N defaults to two million. Options after -- are passed to albert.
# Prints a Markdown table of memory (MiB) after 10, 50 and 90% of the run, and its peak. Memory is flat if they agree. Without
# support for Parquet in the program, Parquet is left out.
set -eu
here=$(dirname "$0")
lines=2000000 task=classify wanted="" albert=${ALBERT_BIN:-$here/../target/release/albert}
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        --lines) lines=$2; shift ;;
        --task) task=$2; shift ;;
        --formats) wanted=$2; shift ;;
        -*) sed -n '2,8s/^# \?//p' "$0"; exit 2 ;;
        *) albert=$1 ;;
    esac
    shift
done
[ -x "$albert" ] || { echo "no program at $albert" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset ALBERT_MODEL ALBERT_DEVICE

awk -v n="$lines" 'BEGIN { k = split("good bad fine dull great poor new old", w, " "); for (i = 0; i < n; i++) printf "%d,%s\n", i, w[i % k + 1] }' > "$dir/rows"
{ echo id,text; cat "$dir/rows"; } > "$dir/in.csv"
tr ',' '\t' < "$dir/in.csv" > "$dir/in.tsv"
cut -d, -f2 "$dir/rows" > "$dir/in.txt"
awk -F, '{ printf "{\"id\":%d,\"text\":\"%s\"}\n", $1, $2 }' "$dir/rows" > "$dir/in.jsonl"
rm "$dir/rows"
formats="jsonl csv tsv txt"
# The probe uses tokenize, which needs no model weights.
if head -3 "$dir/in.csv" > "$dir/few.csv" && "$albert" tokenize -q -i "$dir/few.csv" -o "$dir/few.parquet" 2> "$dir/errors"; then
    "$albert" tokenize -q -i "$dir/in.csv" -o "$dir/in.parquet"
    formats="jsonl csv parquet tsv txt"
fi
formats=${wanted:-$formats}

echo "| in and out | lines/s | MiB at 10 % | at 50 % | at 90 % | peak |"
echo "|---|---:|---:|---:|---:|---:|"
for format in $formats; do
    out=$format
    [ "$format" = txt ] && out=jsonl
    start=$(date +%s.%N)
    "$albert" "$task" -q --device flex "$@" -i "$dir/in.$format" -o "$dir/out.$out" &
    pid=$!
    : > "$dir/memory"
    while kill -0 $pid 2> /dev/null; do
        awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" >> "$dir/memory" 2> /dev/null || true
        sleep 0.2
    done
    wait $pid
    end=$(date +%s.%N)
    awk -v name="$format" -v n="$lines" -v s="$start" -v e="$end" '
        { m[NR] = $1 / 1024; if (m[NR] > peak) peak = m[NR] }
        function at(share,   i) { i = int(NR * share); return m[i < 1 ? 1 : i] }
        END { printf "| %s | %.0f | %.0f | %.0f | %.0f | %.0f |\n", name, n / (e - s), at(0.1), at(0.5), at(0.9), peak }' "$dir/memory"
    rm -f "$dir/out.$out"
done
