#!/usr/bin/env bash
# Runs the recipes of docs/scale.md: check.sh PATH_OF_ALBERT [PYTHON]. Recipes whose tools are not installed are skipped with a
# message. PYTHON is an interpreter with pyspark, pandas and pyarrow. dask and ray are used if installed.
set -euo pipefail
albert="$(realpath "$1")"
python="${2:-python3}"
here="$(cd "$(dirname "$0")" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
passed=0
skipped=0

for i in $(seq 1 "${RECORDS:-2000}"); do
    words="$(printf 'a fine film %.0s' $(seq 0 $((i * 7 % 5))))"
    printf '{"id":%d,"text":"%s"}\n' "$i" "$words"
done > reviews.jsonl
"$albert" classify -q --threads 2 -i reviews.jsonl -o expected.jsonl
head -n 50 reviews.jsonl > bad.jsonl
echo '{"id":50,"text":5}' >> bad.jsonl

fail() {
    echo "failed: $1"
    exit 1
}

# GNU parallel.
if command -v parallel >/dev/null; then
    parallel --will-cite -k -j 2 --pipepart -a reviews.jsonl --block -1 \
        "$albert" classify -q --threads 1 > piped.jsonl
    cmp expected.jsonl piped.jsonl || fail "parallel --pipepart: other output"
    parallel --will-cite -j 2 "$albert" classify -q --threads 1 --resume \
        --shard {}/8 -i reviews.jsonl -o part-{}.jsonl ::: 1 2 3 4 5 6 7 8
    cat part-{1..8}.jsonl | cmp expected.jsonl - || fail "parallel --shard: other output"
    if parallel --will-cite -k -j 2 --pipepart -a bad.jsonl --block -1 \
        "$albert" classify -q --threads 1 > /dev/null 2> /dev/null; then
        fail "parallel: a failed job is not seen"
    fi
    passed=$((passed + 3))
else
    echo "skipped: GNU parallel is not installed"
    skipped=$((skipped + 3))
fi

# A Slurm array without Slurm: the documented script with the variables that Slurm sets.
sed -n '/^#!\/bin\/bash$/,/^```$/p' "$here/../../docs/scale.md" | grep -v '^```$' > job.sh
grep -q SBATCH job.sh || fail "docs/scale.md has no job script"
mkdir -p bin && ln -sf "$albert" bin/albert
printf '#!/bin/sh\nexec "$@"\n' > bin/srun && chmod +x bin/srun
for i in $(seq 1 100); do
    PATH="$folder/bin:$PATH" SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_COUNT=100 SLURM_CPUS_PER_TASK=2 \
        bash job.sh 2> "slurm-$i.log" || fail "the job script: $(cat "slurm-$i.log")"
done
cat out-*.jsonl | cmp expected.jsonl - || fail "the job script: other output"
tail -n 1 slurm-100.log | grep -q '"finished":true' || fail "the job script reports no progress"
passed=$((passed + 1))

# Python engines.
if command -v "$python" >/dev/null; then
    "$python" "$here/check_engines.py" "$albert" "$folder" "$here/../../examples" > engines.log || {
        cat engines.log
        fail "check_engines.py"
    }
    cat engines.log
    passed=$((passed + $(grep -c '^passed' engines.log || true)))
    skipped=$((skipped + $(grep -c '^skipped' engines.log || true)))
else
    echo "skipped: no Python"
    skipped=$((skipped + 1))
fi
echo "$passed passed, 0 failed, $skipped skipped"
