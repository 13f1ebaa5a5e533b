#!/usr/bin/env bash
# Judges the CUDA backend on the machine it runs on: unpack weft-acceptance.tgz, run this. Needs bash, coreutils, awk and a
# driver; python3 with torch and compute-sanitizer are used where they are, and named as absent where not.
#
#   accept.sh [--dry EMULATOR | --rehearse | --plan] [--only PHASE,...] [--out FOLDER]
#
# Phases follow each other with a limit each, all together within ten minutes; one that dies leaves its row. FOLDER (results)
# receives table.csv, results.json and a log of each phase; the table is printed last, with the bars of bars.tsv and whether they
# are met. Exit code: number of failed rows, at most 100; a bar that is missed is no failed row.
#
# --only leaves out all but the phases named, as the first column names them, and devices. Two runs with the same FOLDER share
# the times of torch. --dry runs the recipe on the emulator built in the folder EMULATOR; no speed is measured then. --rehearse
# runs everything on the CPU, with small shapes under the names of the true ones: what is measured is without meaning, that it
# arrives in the table is not. --plan prints the phases and their limits, and runs nothing.
set -u
refuse() { # MESSAGE
  echo "accept.sh: $1" >&2
  exit 100
}
value() { # OPTION VALUE...: what follows an option must not be the next one
  case ${2-} in '' | -*) refuse "$1: found '${2-}', expected its value" ;; esac
}
here=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
out=results
emulator=
rehearsal=
plan=
only=
while [ $# -gt 0 ]; do
  case $1 in
    --dry) value "$@"; emulator=$2; shift 2 ;;
    --rehearse) rehearsal=1; shift ;;
    --plan) plan=yes; shift ;;
    --only) value "$@"; only=,$2,; shift 2 ;;
    --out) value "$@"; out=$2; shift 2 ;;
    *) refuse "found '$1', expected --dry EMULATOR, --rehearse, --plan, --only PHASE,... or --out FOLDER" ;;
  esac
done
phases=(yardstick verify verify-overlap model-overlap-false model-overlap-true verify-cublaslt graph gemm piece layer verify-simple
  memcheck racecheck)
while IFS= read -r name; do
  case " ${phases[*]} " in *" $name "*) ;; *) refuse "--only: found '$name', expected some of ${phases[*]}, with commas" ;; esac
done < <([ -z "$only" ] || tr , '\n' <<<"${only:1:-1}")
mkdir -p "$out" || refuse "--out: found '$out', expected a folder that can be made"
out=$(CDPATH="" cd -- "$out" && pwd -P) || exit 100
[ -w "$out" ] || refuse "--out: found '$out', expected a folder that can be written to"
machine= # the device's name, where bars of an H200 do not hold
rows=$out/rows.tsv
facts=$out/facts.tsv
sticks=$out/yardstick.tsv
most=570
planned=0
if [ -z "$plan" ]; then
  : >"$rows"
  : >"$facts"
fi
deadline=$((SECONDS + most))
device=cuda:0
if [ -n "$rehearsal" ]; then device=cpu:0; fi
weft=$here/weft/weft
model=$here/weft/examples/demo-model
emulated=
[ -z "$emulator" ] || emulated="-Dweft.cuda.path=$emulator/lib -Dweft.cuda.images=$emulator/images -Dweft.cublaslt.path=$emulator/lib"
export WEFT_JAVA_OPTS=$emulated

row() { # PHASE CASE RESULT OURS_US YARDSTICK_US OF_LIMIT BAR VERDICT REMARK
  local IFS=$'\t'
  [ -n "$plan" ] || echo "$*" >>"$rows"
}

# wanted NAME: whether the phase is run; NAME may be longer by a dot and a case.
wanted() {
  [ -z "$only" ] || case $only in *",${1%%.*},"*) true ;; *) false ;; esac
}

# phase NAME SECONDS COMMAND...: runs it with a limit, output to NAME.log, and says whether it succeeded.
phase() {
  local name=$1 limit=$2 left=$((deadline - SECONDS)) start=$SECONDS code
  shift 2
  if [ -n "$plan" ]; then
    planned=$((planned + limit))
    printf '%4d s %s\n' "$limit" "$name"
    return 0
  fi
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

last_line() { # NAME: of a phase's log
  tail -n 1 "$out/$1.log" | tr '\001-\011\013-\037' ' '
}

# check NAME SECONDS COMMAND...: a phase whose exit code is the result.
check() {
  local code
  [ "$1" = devices ] || wanted "$1" || return 0
  took=0
  phase "$@"
  code=$?
  if [ $code -eq 0 ]; then
    row "$1" "" pass "" "" "" "" "" "$took s"
  else
    row "$1" "" FAIL "" "" "" "" "" "exit code $code after $took s, see $1.log: $(last_line "$1")"
  fi
  return $code
}

finish() {
  local failed met missed unknown
  [ ! -f "$here/bars.tsv" ] || awk -v machine="$machine" -f "$here/judge.awk" "$here/bars.tsv" "$facts" >>"$rows"
  awk -F '\t' 'BEGIN { print "phase,case,result,ours_us,yardstick_us,of_limit,bar,verdict,remark" }
    { for (i = 1; i <= 9; i++) { gsub(/"/, "\"\"", $i); printf "%s\"%s\"", (i > 1 ? "," : ""), $i } print "" }' "$rows" >"$out/table.csv"
  awk -F '\t' 'BEGIN { split("phase case result ours_us yardstick_us of_limit bar verdict remark", key, " "); print "["; }
    { gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "%s{", (NR > 1 ? ",\n" : "")
      for (i = 1; i <= 9; i++) printf "%s\"%s\": \"%s\"", (i > 1 ? ", " : ""), key[i], $i
      printf "}" } END { print "\n]" }' "$rows" >"$out/results.json"
  echo "us: of one product or piece, or of a whole step. yardstick: torch. of limit: share of the shortest time that the ceilings allow"
  echo "which were measured between the rounds. A row is right (pass, FAIL), measured, absent, or information."
  echo
  awk -F '\t' 'BEGIN { format = "%-20s %-30s %-8s %10s %12s %8s  %s\n"
      printf format, "phase", "case", "result", "ours us", "yardstick us", "of limit", "remark" }
    $1 != "bar" { printf format, $1, $2, $3, $4, $5, $6, $9 }' "$rows"
  echo
  awk -F '\t' 'BEGIN { format = "%-40s %-18s %-13s %s\n"; printf format, "bar of speed", "wanted", "verdict", "found; what it is" }
    $1 == "bar" { printf format, $2, $7, $8, $9 }' "$rows"
  echo
  [ -z "$rehearsal" ] || echo "A REHEARSAL on the CPU with small shapes: times and verdicts are without meaning."
  met=$(awk -F '\t' '$8 == "met"' "$rows" | wc -l)
  missed=$(awk -F '\t' '$8 == "MISSED"' "$rows" | wc -l)
  unknown=$(awk -F '\t' '$8 == "not measured" { print $2 }' "$rows")
  [ -z "$machine" ] || echo "The bars in units of time or speed are of an H200, and not judged on this machine: $machine"
  echo "$met bars met, $missed missed, $(echo -n "$unknown" | grep -c '^') not measured${unknown:+: ${unknown//$'\n'/; }}"
  failed=$(awk -F '\t' '$3 == "FAIL"' "$rows" | wc -l)
  echo "$(wc -l <"$rows") rows, $failed failed"
  exit $((failed < 100 ? failed : 100))
}

# ---- what is here

if ! check devices 10 "$weft" devices --verbose || ! grep -q "$device" "$out/devices.log" 2>/dev/null && [ -z "$plan" ]; then
  cat "$out/devices.log"
  row devices "$device" FAIL "" "" "" "" "" "no such device"
  finish
fi
if [ -z "$plan" ]; then
  grep "$device" "$out/devices.log" >&2
  # what a device without an image of its own shows below is measured all the same; the failure is the pack's
  [ -n "$rehearsal" ] || grep -oE 'slower kernels .*|images for sm_[0-9]+: as .*compute_80\.ptx' "$out/devices.log" | sort -u |
    while read -r line; do row images "" FAIL "" "" "" "" "" "$line"; done
  grep -o 'kernels: .*' "$out/devices.log" | while read -r line; do row build "" info "" "" "" "" "" "$line"; done
  if grep -q EMULATOR "$out/devices.log" && [ -z "$emulator$rehearsal" ]; then
    row devices "$device" FAIL "" "" "" "" "" "an emulator, without --dry"
    finish
  fi
fi

[ -n "$plan$rehearsal" ] || grep "$device" "$out/devices.log" | grep -q H200 || machine=$(grep -m 1 "$device" "$out/devices.log" | tr -s ' \t' ' ')

cublaslt= # whether the library is here, as a second yardstick and one that needs no Python
if [ -n "$plan" ] || grep -q 'optional cublaslt: .* products of the variant' "$out/devices.log"; then
  cublaslt=yes
elif [ -z "$rehearsal" ]; then
  row cublaslt "" absent "" "" "" "" "" "$(grep -o 'optional cublaslt: .*' "$out/devices.log")"
fi

# has_torch: whether torch is there, and a device that it finds
has_torch() {
  phase torch 20 python3 -c "import torch; ${rehearsal:-torch.cuda.init()}"
}

! wanted yardstick || [ -n "$plan" ] || rm -f "$sticks"
if ! wanted yardstick; then
  :
elif [ -z "$emulator" ] && has_torch; then
  # ceilings first, then the cases of the benchmarks below, under their names
  phase yardstick 40 python3 "$here/yardstick.py" ${rehearsal:+--rehearse} "$sticks" ||
    row yardstick "" FAIL "" "" "" "" "" "see yardstick.log: $(last_line yardstick)"
  [ ! -f "$sticks" ] || while IFS=$'\t' read -r name us remark; do
    row yardstick "$name" measured "" "$us" "" "" "" "$remark"
  done <"$sticks"
  [ ! -f "$out/yardstick.log" ] || grep '^absent' "$out/yardstick.log" | while IFS=$'\t' read -r _ name remark; do
    row yardstick "$name" absent "" "" "" "" "" "$remark"
  done
else
  row yardstick "" absent "" "" "" "" "" "${emulator:+emulator: says nothing of speed; }python3 with torch that finds a device"
fi

# ---- is it right: before any speed

part=()
prompt=(--prompt 64 --decode 8)
if [ -n "$emulator$rehearsal" ]; then
  part=(--ops norm)
  prompt=(--prompt 2 --decode 1)
fi
check verify 120 "$weft" verify --device "$device" --rounds 1 "${part[@]}"
export WEFT_JAVA_OPTS="$emulated -Dweft.cuda.overlap=true"
check verify-overlap 25 "$weft" verify --device "$device" "${part[@]}"
for overlap in false true; do
  export WEFT_JAVA_OPTS="$emulated -Dweft.cuda.overlap=$overlap"
  check "model-overlap-$overlap" 20 "$weft" compare "$model" --devices "$device" --rounds 1 "${prompt[@]}"
done
export WEFT_JAVA_OPTS=$emulated
[ -z "$cublaslt" ] || check verify-cublaslt 20 "$weft" verify --device "$device/cublaslt" --ops gemm
flash=flash
[ -z "$rehearsal" ] || flash=tiny
# shellcheck disable=SC2016 # the inner shell's
check graph 20 sh -ec 'for m in 1 32 128; do "$1" compile --model "$2" --device "$3" --tokens $m; done' - "$weft" "$flash" "$device"
if wanted graph && [ -z "$plan" ]; then
  grep -E '^(a step|window|csa|hca)' "$out/graph.log" | while read -r line; do row graph launches info "" "" "" "" "" "$line"; done
  awk 'BEGIN { OFS = "\t" }
    /^a step of/ { last = $4; print "graph step" (last == 1 ? "" : " " last), "launches", $6 }
    last == 1 && /^(window|csa|hca)/ && $NF > most { most = $NF }
    END { if (most) print "graph layer", "launches", most }' "$out/graph.log" >>"$facts"
fi

# ---- how fast: a step is replayed as a graph from its third run on

bench() { # PHASE SUFFIX SECONDS ARGUMENTS...: the suffix tells cases apart that have the same name
  local name=$1 suffix=$2 limit=$3
  shift 3
  wanted "$name" || return 0
  phase "$name" "$limit" "$weft" bench "$@" --device "$device" -o jsonl ||
    row "$name" "" FAIL "" "" "" "" "" "see $name.log: $(last_line "$name")"
  # a benchmark that dies has no lines
  [ -n "$plan" ] || awk -v phase="${name%%.*}" -v suffix="$suffix" -v sticks="$sticks" -v facts="$facts" \
    -f "$here/facts.awk" "$out/$name.log" >>"$rows"
}

if [ -n "$emulator" ]; then
  for name in gemm piece layer; do
    ! wanted "$name" || row "$name" "" absent "" "" "" "" "" "emulator: says nothing of speed"
  done
else
  size() { # TRUE SMALL: a size, in a rehearsal the small one
    if [ -n "$rehearsal" ]; then echo "$2"; else echo "$1"; fi
  }
  small=()
  [ -z "$rehearsal" ] || small=(--rounds 2)
  few=("${small[@]}") # products that need not come from memory
  [ -z "$rehearsal" ] || few+=(--weight-bytes 100000)
  tiny=("${small[@]}" --model "$flash")
  products() { # SECONDS WEIGHTS SUFFIX ROWS K N: on the device, and by cuBLASLt if it is here
    local name=gemm.$3.${2//,/-}
    bench "$name" "$3" "$1" gemm --weights "$2" --m "$4" --k "$5" --n "$6" "${few[@]}"
    case $2 in
      mxfp4) ;; # is none of the library's formats
      *) [ -z "$cublaslt" ] ||
        device=$device/cublaslt bench "$name.cublaslt" "$3" "$1" gemm --weights "$2" --m "$4" --k "$5" --n "$6" "${few[@]}" ;;
    esac
  }
  side=$(size 4096 256)
  products 15 mxfp4 square 1,32,128,4096 "$side" "$side"
  products 20 fp8,bf16 square 1,32,128,4096 "$side" "$side"
  products 8 fp8 narrow 1,16 "$(size 8192 256)" "$(size 4096 128)"
  products 8 fp8 wide 4096 "$(size 1536 128)" "$(size 24576 256)"
  products 10 bf16 head 1,32 "$(size 4096 128)" "$(size 129280 1024)"
  bench piece.experts "" 25 piece experts --m 1,32,128,4096 "${tiny[@]}"
  bench piece.decode "" 20 piece attention,hyper --m 1,32,128 --context "$(size 4096 255)" "${tiny[@]}"
  bench piece.16k 16k 15 piece index,topk --m 1,32 --context "$(size 65535 255)" "${tiny[@]}"
  bench piece.262k 262k 20 piece index,topk --m 1,32 --context "$(size 1048575 511)" "${tiny[@]}"
  bench piece.prefill "" 10 piece prefill --m 4096 --context "$(size 4096 255)" "${tiny[@]}"
  kinds=$(size window,window,csa,hca window,csa,hca,csa)
  bench layer.stack "" 40 layer --kind "$kinds" --batch 1,32,128 --context "$(size 4096 255)" "${tiny[@]}"
  WEFT_JAVA_OPTS=-Dweft.cuda.overlap=true \
    bench layer.overlap overlap 15 layer --kind "$kinds" --batch 1 --context "$(size 4096 255)" "${tiny[@]}"
fi

# ---- the simple kernels: should an operator fail above and pass here, its fast kernel is the suspect

[ -n "$emulator$rehearsal" ] || check verify-simple 20 "$weft" verify --device "$device/simple"

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
    row "$tool" "$ops" pass "" "" "" "" "" "$took s"
  elif { [ $code -eq 124 ] || [ $code -eq 137 ]; } && ! grep -qE "$findings" "$out/$tool.$ops.log"; then
    row "$tool" "$ops" info "" "" "" "" "" "not finished in $took s, nothing found"
  else
    row "$tool" "$ops" FAIL "" "" "" "" "" "exit code $code after $took s, see $tool.$ops.log: $(last_line "$tool.$ops")"
  fi
}

if [ -n "$plan" ]; then
  echo "$planned s in all, $((most - planned)) s of $most left for compute-sanitizer, and what the others do not take"
  exit 0
fi
for tool in memcheck racecheck; do
  if ! wanted "$tool"; then
    :
  elif [ -n "$emulator" ]; then
    row "$tool" "" absent "" "" "" "" "" "the emulator checks memory itself"
  elif [ -n "$rehearsal" ]; then
    row "$tool" "" absent "" "" "" "" "" "a rehearsal"
  elif ! command -v compute-sanitizer >/dev/null; then
    row "$tool" "" absent "" "" "" "" "" "compute-sanitizer"
  else
    sanitize "$tool" gemm 60
    [ $tool = memcheck ] || for ops in sparseAttention lightningIndex topK; do sanitize racecheck $ops 25; done
  fi
done
finish
