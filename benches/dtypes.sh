#!/usr/bin/env bash
# The accuracy cost of each --dtype: metrics of the built-in model on labelled data, per instruction set of this processor.
#
#     benches/dtypes.sh DATA [ALBERT]        (or ALBERT_BIN; else target/release/albert)
#
# DATA is a folder with sentiment.dev.jsonl, ner.dev.jsonl, qa.dev.jsonl, choice.dev.jsonl and choice4.dev.jsonl. Needs jq.
# Prints a Markdown table.
set -eu
here=$(dirname "$0")
data=${1:?name the folder with the data}
albert=${2:-${ALBERT_BIN:-$here/../target/release/albert}}
unset ALBERT_MODEL ALBERT_DEVICE

measure() { # task, file, metric; answers are scored in percent
    "$albert" eval "$1" -q --device flex --dtype "$dtype" --data "$data/$2.dev.jsonl" --format json |
        jq --arg metric "$3" --argjson unit "${4:-100}" '.[$metric] * $unit * 100 | round / 100'
}

echo "| instruction set | type | sentiment | entities | qa, F1 | choice | choice4 |"
echo "|---|---|---:|---:|---:|---:|---:|"
for isa in ${ISAS:-native avx2 portable}; do
    for dtype in ${DTYPES:-f32 bf16 int8}; do
        [ "$isa" = native ] || export ALBERT_MAX_ISA=$isa
        echo "| $isa | $dtype | $(measure classify sentiment accuracy) | $(measure ner ner f1) | $(measure qa qa f1 1) |" \
            "$(measure choose choice accuracy) | $(measure choose choice4 accuracy) |"
    done
done
