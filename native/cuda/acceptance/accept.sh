#!/usr/bin/env bash
# Judges the CUDA backend on the machine it runs on: unpack weft-acceptance.tgz, run this. Needs bash, coreutils, awk and a
# driver; python3 with torch and compute-sanitizer are used where they are, and named as absent where not.
#
#   accept.sh [--dry EMULATOR] [--only PHASE,...] [--out FOLDER]
#
# Phases follow each other with a limit each, all together within ten minutes; one that dies leaves its row. FOLDER (results)
# receives table.csv, results.json and a log of each phase; the table is printed last. Exit code: number of failed rows, at
# most 100. --dry runs the recipe on the emulator built in the folder EMULATOR; no speed is measured then. --only leaves out all
# but the phases named, as the first column names them, and devices: for a quick look, and for the test of this file.
set -u
here=$(CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
out=results
emulator=
only=
while [ $# -gt 0 ]; do
  case $1 in
    --dry) emulator=${2:?--dry: the folder of the emulator}; shift 2 ;;
    --only) only=,${2:?--only: names of phases},; shift 2 ;;
    --out) out=${2:?--out: a folder}; shift 2 ;;
    *) echo "accept.sh: found '$1', expected --dry EMULATOR, --only PHASE,... or --out FOLDER" >&2; exit 100 ;;
  esac
done
mkdir -p "$out"
out=$(CDPATH= cd -- "$out" && pwd -P)
rows=$out/rows.tsv
: >"$rows"
deadline=$((SECONDS + 570))
device=cuda:0
weft=$here/weft/weft
model=$here/weft/examples/demo-model
emulated=
[ -z "$emulator" ] || emulated="-Dweft.cuda.path=$emulator/lib -Dweft.cuda.images=$emulator/images -Dweft.cublaslt.path=$emulator/lib"
export WEFT_JAVA_OPTS=$emulated

row() { # PHASE CASE RESULT OURS_US YARDSTICK_US OF_LIMIT REMARK
  local IFS=$'\t'
  echo "$*" >>"$rows"
}

# wanted NAME: whether the phase is run; NAME may be longer by a dot and a case.
wanted() {
  [ -z "$only" ] || case $only in *",${1%%.*},"*) true ;; *) false ;; esac
}

# phase NAME SECONDS COMMAND...: runs it with a limit, output to NAME.log, and says whether it succeeded.
phase() {
  local name=$1 limit=$2 left=$((deadline - SECONDS)) start=$SECONDS code
  shift 2
  if [ "$left" -lt 5 ]; then
    echo "out of time" >"$out/$name.log"
    return 124
  fi
  printf '%4ds %s\n' "$SECONDS" "$name" >&2
  timeout -k 5 "$((limit < left ? limit : left))" "$@" >"$out/$name.log" 2>&1
  code=$?
  took=$((SECONDS - start))
  return $code
}

# check NAME SECONDS COMMAND...: a phase whose exit code is the result.
check() {
  local code
  [ "$1" = devices ] || wanted "$1" || return 0
  took=0
  phase "$@"
  code=$?
  if [ $code -eq 0 ]; then
    row "$1" "" pass "" "" "" "$took s"
  else
    row "$1" "" FAIL "" "" "" "exit code $code after $took s, see $1.log: $(tail -n 1 "$out/$1.log" | tr '\t' ' ')"
  fi
  return $code
}

finish() {
  awk -F '\t' 'BEGIN { print "phase,case,result,ours_us,yardstick_us,of_limit,remark" }
    { for (i = 1; i <= 7; i++) { gsub(/"/, "\"\"", $i); printf "%s\"%s\"", (i > 1 ? "," : ""), $i } print "" }' "$rows" >"$out/table.csv"
  awk -F '\t' 'BEGIN { split("phase case result ours_us yardstick_us of_limit remark", key, " "); print "["; }
    { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); printf "%s{", (NR > 1 ? ",\n" : "")
      for (i = 1; i <= 7; i++) printf "%s\"%s\": \"%s\"", (i > 1 ? ", " : ""), key[i], $i
      printf "}" } END { print "\n]" }' "$rows" >"$out/results.json"
  awk -F '\t' 'BEGIN { format = "%-18s %-34s %-7s %10s %12s %9s  %s\n"
      printf format, "phase", "case", "result", "ours us", "yardstick us", "of limit", "remark" }
    { printf format, $1, $2, $3, $4, $5, $6, $7 }' "$rows"
  local failed
  failed=$(awk -F '\t' '$3 == "FAIL"' "$rows" | wc -l)
  echo "$(wc -l <"$rows") rows, $failed failed"
  exit $((failed < 100 ? failed : 100))
}

# ---- what is here

if ! check devices 30 "$weft" devices --verbose || ! grep -q "$device" "$out/devices.log"; then
  cat "$out/devices.log"
  row devices "$device" FAIL "" "" "" "no such device"
  finish
fi
grep "$device" "$out/devices.log" >&2
# what a device without an image of its own shows below is measured all the same; the failure is the pack's
grep -oE 'slower kernels .*|images for sm_[0-9]+: as .*compute_80\.ptx' "$out/devices.log" | sort -u |
  while read -r line; do row images "" FAIL "" "" "" "$line"; done
grep -o 'kernels: .*' "$out/devices.log" | while read -r line; do row build "" info "" "" "" "$line"; done
if grep -q EMULATOR "$out/devices.log" && [ -z "$emulator" ]; then
  row devices "$device" FAIL "" "" "" "an emulator, without --dry"
  finish
fi

cublaslt= # whether the library is here, as a second yardstick and one that needs no Python
if grep -q 'optional cublaslt: .* products of the variant' "$out/devices.log"; then
  cublaslt=yes
else
  row cublaslt "" absent "" "" "" "$(grep -o 'optional cublaslt: .*' "$out/devices.log")"
fi

torch=
if ! wanted yardstick; then
  :
elif [ -z "$emulator" ] && python3 -c 'import torch; torch.cuda.init()' >"$out/torch.log" 2>&1; then
  torch=yes
  # ceilings first, then the shapes of the benchmarks below
  phase yardstick 60 python3 "$here/yardstick.py" "$out/yardstick.tsv" ||
    row yardstick "" FAIL "" "" "" "see yardstick.log: $(tail -n 1 "$out/yardstick.log" | tr '\t' ' ')"
  [ ! -f "$out/yardstick.tsv" ] || while IFS=$'\t' read -r kind m k n us value; do
    [ "$kind" != ceiling ] || row ceiling "$m" measured "" "$us" "" "$value"
  done <"$out/yardstick.tsv"
else
  row yardstick "" absent "" "" "" "${emulator:+emulator: says nothing of speed; }python3 with torch that finds a device"
fi

# ---- is it right: before any speed

part=()
prompt=(--prompt 64 --decode 8)
if [ -n "$emulator" ]; then
  part=(--ops norm)
  prompt=(--prompt 2 --decode 1)
fi
check verify 180 "$weft" verify --device "$device" --rounds 1 "${part[@]}"
export WEFT_JAVA_OPTS="$emulated -Dweft.cuda.overlap=true"
check verify-overlap 90 "$weft" verify --device "$device" "${part[@]}"
for overlap in false true; do
  export WEFT_JAVA_OPTS="$emulated -Dweft.cuda.overlap=$overlap"
  check "model-overlap-$overlap" 60 "$weft" compare "$model" --devices "$device" --rounds 1 "${prompt[@]}"
done
export WEFT_JAVA_OPTS=$emulated
[ -n "$emulator" ] || check verify-simple 120 "$weft" verify --device "$device/simple"
[ -z "$cublaslt" ] || check verify-cublaslt 60 "$weft" verify --device "$device/cublaslt" --ops gemm
check graph 30 "$weft" compile --model flash --device "$device"
! wanted graph || grep -E '^(a step|window|csa|hca)' "$out/graph.log" | while read -r line; do row graph launches info "" "" "" "$line"; done

# ---- how fast: a step is replayed as a graph from its third run on

# The results of a report in JSON as rows; yardsticks by format, m, k and n.
report() { # PHASE CASE FILE
  awk -F '\t' -v phase="$1" -v name="$2" -v sticks="$out/yardstick.tsv" '
    function value(line) { sub(/^[^:]*: */, "", line); gsub(/[",]/, "", line); return line }
    BEGIN { while ((getline line < sticks) > 0) { split(line, f, "\t"); stick[f[1] " " f[2] " " f[3] " " f[4]] = f[5] } }
    /"work" :/ { if (work != "") show(); work = value($0); delete got; share = "" }
    /"clock" :/ { clock = value($0) }
    /"limit" : \{/ { limits = 1 }
    /"measuredBy" :/ { limits = 0 }
    limits && /"(kind|value)" :/ { split($0, q, "\""); got["limit " q[2]] = value($0); next }
    /"(weights|m|k|n|copies|kernel|gbps|gflops)" :/ { split($0, q, "\""); got[q[2]] = value($0) }
    /"median" :/ { median = value($0) * 1e6 }  # of all copies of a product
    /^    "ofLimit" :/ { share = sprintf("%.2f", value($0)) }
    function show(  shape, copies) {
      copies = got["copies"] == "" ? 1 : got["copies"]
      shape = got["weights"] " " got["m"] " " got["k"] " " got["n"]
      printf "%s\t%s\tmeasured\t%.1f\t%s\t%s\t%s, %.1f GB/s, %.0f GFLOP/s, limit %s %.0f G/s, %s clock\n", phase,
        got["m"] == "" ? name : shape, median / copies, stick[shape], share, got["kernel"], got["gbps"], got["gflops"],
        got["limit kind"], got["limit value"] / 1e9, clock
    }
    END { if (work != "") show() }' "$3" >>"$rows"
}

bench() { # PHASE CASE SECONDS ARGUMENTS...
  local name=$1 what=$2 limit=$3
  shift 3
  wanted "$name" || return 0
  if phase "$name" "$limit" "$weft" bench "$@" --device "$device" --json; then
    report "${name%%.*}" "$what" "$out/$name.log"
  else
    row "$name" "$what" FAIL "" "" "" "see $name.log: $(tail -n 1 "$out/$name.log" | tr '\t' ' ')"
  fi
}

if [ -n "$emulator" ]; then
  for name in gemm layer; do
    ! wanted "$name" || row "$name" "" absent "" "" "" "emulator: says nothing of speed"
  done
else
  [ -z "$cublaslt" ] ||
    device=$device/cublaslt bench ceiling.cublaslt "" 30 gemm --weights bf16 --m 8192 --k 8192 --n 8192
  for weights in mxfp4 fp8 bf16; do
    for m in 1 32 128 4096; do
      bench "gemm.$weights.$m" "" 20 gemm --weights $weights --m $m --k 4096 --n 4096
      [ $weights = mxfp4 ] || [ -z "$cublaslt" ] ||
        device=$device/cublaslt bench "cublaslt.$weights.$m" "" 20 gemm --weights $weights --m $m --k 4096 --n 4096
    done
  done
  for kind in window csa hca; do
    for tokens in 1 32 128; do
      bench "layer.$kind.$tokens" "$kind, $tokens tokens" 30 layer --kind $kind --tokens $tokens
    done
    WEFT_JAVA_OPTS=-Dweft.cuda.overlap=true bench "layer.$kind.overlap" "$kind, 1 token, overlap" 30 layer --kind $kind --tokens 1
  done
fi

# ---- what compute-sanitizer sees: last, since it takes what time is left

# sanitize TOOL OPERATORS SECONDS: their conformance cases under a tool. That they are slow under it is no failure, a finding is.
findings='^=+ +((Error|Warning): (Race|Potential)|Invalid|Misaligned|Barrier error|Program hit|[A-Z]+ SUMMARY: [1-9])'
sanitize() {
  local tool=$1 ops=$2 limit=$3 code
  took=0
  phase "$tool.$ops" "$limit" compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 1 \
    "$weft" verify --device "$device" --ops "$ops"
  code=$?
  if [ $code -eq 0 ]; then
    row "$tool" "$ops" pass "" "" "" "$took s"
  elif { [ $code -eq 124 ] || [ $code -eq 137 ]; } && ! grep -qE "$findings" "$out/$tool.$ops.log"; then
    row "$tool" "$ops" info "" "" "" "not finished in $took s, nothing found"
  else
    row "$tool" "$ops" FAIL "" "" "" "exit code $code after $took s, see $tool.$ops.log: $(tail -n 1 "$out/$tool.$ops.log" | tr '\t' ' ')"
  fi
}

for tool in memcheck racecheck; do
  if ! wanted "$tool"; then
    :
  elif [ -n "$emulator" ]; then
    row "$tool" "" absent "" "" "" "the emulator checks memory itself"
  elif ! command -v compute-sanitizer >/dev/null; then
    row "$tool" "" absent "" "" "" "compute-sanitizer"
  else
    sanitize "$tool" gemm 60
    [ $tool = memcheck ] || for ops in sparseAttention lightningIndex topK; do sanitize racecheck $ops 25; done
  fi
done
finish
