#!/usr/bin/env bash
# Measures a GPU with a built `albert` (start-up, agreement with the CPU, throughput, training), and PyTorch if installed.
#
#     benches/gpu.sh [--seconds N] [--device NAME] [--tiny] [ALBERT]        (or ALBERT_BIN; else target/release/albert)
#
# Prints a Markdown table. The most important parts come first. Parts that do not fit into N seconds (600) are left out, and
# parts that fail are reported. --tiny uses a one-layer model and small shapes, for a software renderer.
set -u
here=$(dirname "$0")
limit=600 device=wgpu tiny='' albert=${ALBERT_BIN:-$here/../target/release/albert}
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) limit=$2; shift ;;
        --device) device=$2; shift ;;
        --tiny) tiny=1 ;;
        -*) sed -n '2,7s/^# \?//p' "$0"; exit 2 ;;
        *) albert=$1 ;;
    esac
    shift
done
[ -x "$albert" ] || { echo "no program at $albert" >&2; exit 2; }

layers=12 shapes="64x128 256x32 16x512" lines=20000 size=base rows=64 patience=1
# A software renderer is slow.
[ "$tiny" ] && layers=1 shapes="2x32" lines=20 size=tiny rows=2 patience=5
dir=$(mktemp -d) && mkdir "$dir/cache"
# Shaders cached by earlier runs would turn the first start into a warm one.
export XDG_CACHE_HOME=$dir/cache __GL_SHADER_DISK_CACHE_PATH=$dir/cache MESA_SHADER_CACHE_DIR=$dir/cache
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$dir} HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
unset ALBERT_MODEL ALBERT_DEVICE
trap 'echo; echo "| measurement | result | |"; echo "|---|---:|---|"; cat "$dir/table"; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

row() { echo "| $* |" | tee -a "$dir/table" >&2; }

# Succeeds until the given percentage of the time is used up.
before() { [ $((100 * SECONDS)) -lt $((limit * $1)) ]; }

# Runs a command for at most the given number of seconds, and within the script's limit. Its errors go to $dir/errors.
within() {
    local most=$((patience * $1)) left=$((limit - SECONDS)) code
    shift
    [ $left -lt 3 ] && { echo "no time is left" >"$dir/errors"; return 1; }
    most=$((most < left ? most : left))
    timeout --kill-after=3 $most "$@" 2>"$dir/errors"
    code=$?
    [ $code = 124 ] || [ $code = 137 ] && echo "stopped after $most s" >>"$dir/errors"
    return $code
}

failed() { row "$1 | - | $(grep -v RUST_BACKTRACE "$dir/errors" | tail -n 3 | tr '|\n' '/ ' | cut -c 1-300)"; }

# Adds a row with the result and the note that a command prints.
measured() {
    local name=$1 out
    shift
    if out=$(within "$@"); then row "$name | $out"; else failed "$name"; fi
}

# Times a command from exec to exit: the first run, and the median of N more.
started() {
    local name=$1 n=$2 times=() again i start
    shift 2
    for ((i = 0; i <= n; i++)); do
        start=$(date +%s%N)
        within 60 "$albert" "$@" "The river ran through the valley." >/dev/null || { [ $i -gt 0 ] || failed "$name"; break; }
        times+=($((($(date +%s%N) - start) / 1000000)))
    done
    [ ${#times[@]} = 0 ] && return
    again=()
    [ ${#times[@]} = 1 ] || mapfile -t again < <(printf '%s\n' "${times[@]:1}" | sort -n)
    row "$name | ${again[$((${#again[@]} / 2))]:-${times[0]}} ms | first run ${times[0]} ms; median of ${#again[@]} more"
}

peer=(python3 "$here/gpu_peer.py")

# The adapter
row "$("$albert" --version), $(uname -sm) | $(date -u +%F) | $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) threads"
smi=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1)
row "device $device | | $(within 20 "$albert" devices --format jsonl | grep "\"${device%%:*}" | head -n 1 | sed 's/.*"description":"\([^"]*\)".*/\1/')${smi:+; driver: $smi}"

# Start-up
"${peer[@]}" model "$dir/model" "$layers" || exit
started "one sentence, built-in model, CPU" 5 embed --device flex
started "one sentence, built-in model, $device" 2 embed --device "$device"
started "one sentence, base, CPU" 5 embed --device flex -m "$dir/model"
[ "$tiny" ] || ! before 20 || started "one sentence, base, $device" 1 embed --device "$device" -m "$dir/model"

# Agreement with the CPU
cat >"$dir/embed.txt" <<'TEXT'
The old bridge was built in 1873 by two brothers.
Anna works for Microsoft in Seattle, and she likes the rain more than most people there do.
It was cold outside.
The bank raised its interest rates again, which nobody had expected so soon after the last time.
TEXT
printf '%s\n' "The river [MASK] through the valley." "The capital of [MASK] is Paris, which lies on the Seine." \
    "The company reported higher [MASK] in the third quarter." >"$dir/fill-mask.txt"
check() {
    local task=$1 dtype=$2
    shift 2
    local run=("$albert" "$task" -q -i "$dir/$task.txt" "$@")
    if within 60 "${run[@]}" --device flex >"$dir/cpu" && within 60 "${run[@]}" --device "$device" --dtype "$dtype" >"$dir/gpu"; then
        measured "$task, $device $dtype and CPU f32" 10 "${peer[@]}" diff "$dir/cpu" "$dir/gpu"
    else
        failed "$task, $device $dtype and CPU f32"
    fi
}
for dtype in f32 f16 bf16; do check embed $dtype --pooling tokens; done
for dtype in f32 f16; do [ "$tiny" ] || ! before 35 || check fill-mask $dtype; done

# The encoder
for shape in $shapes; do
    for dtype in f32 f16; do
        # Leaves time for PyTorch.
        before 65 && measured "encoder $shape, $dtype" 40 "${peer[@]}" batches "$shape" $((tiny ? 1 : 3)) \
            "$albert" embed -q -m "$dir/model" --device "$device" --dtype $dtype
    done
done

# PyTorch
read -ra each <<<"$shapes"
within 90 "${peer[@]}" torch "$dir/model" 0.7 "${each[@]}" >"$dir/torch"
code=$?
while read -r line; do row "$line"; done <"$dir/torch"
[ $code = 0 ] || failed "PyTorch"

# Many lines of mixed length
"${peer[@]}" lines $lines >"$dir/lines.jsonl"
for dtype in f16 f32; do
    measured "classify, $lines lines of 5 to 400 words, $dtype" 45 "${peer[@]}" answers $lines $((tiny ? 200 : 20)) \
        "$albert" classify -q -m "$dir/model" -i "$dir/lines.jsonl" --device "$device" --dtype $dtype
done

# Training
"${peer[@]}" corpus $((tiny ? 20 : 2000)) >"$dir/corpus.txt"
for precision in f32 f16; do
    within 45 "$albert" pretrain --corpus "$dir/corpus.txt" --output "$dir/$precision" --tokenizer "$dir/model" --size $size \
        --device "$device" --precision $precision --batch-size $rows --micro-batch $rows --max-seq-length 128 --short-seq-prob 0 \
        --steps 100000 --log-every 2 --eval-every 100000 --save-every 100000 >/dev/null
    # The first report covers the steps that tune kernels.
    mapfile -t rates < <(grep '"train"' "$dir/$precision/metrics.jsonl" 2>/dev/null | tail -n +2 |
        sed 's/.*"tokens_per_second":\([0-9]*\).*/\1/' | sort -n)
    if [ ${#rates[@]} -gt 0 ]; then
        row "pretrain $size, $rows x 128, $precision | ${rates[$((${#rates[@]} / 2))]} tokens/s | median of ${#rates[@]} reports of 2 steps"
    else
        failed "pretrain $size, $rows x 128, $precision"
    fi
done
