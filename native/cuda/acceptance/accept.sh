#!/usr/bin/env bash
# Judges the CUDA backend on the machine it runs on: unpack weft-acceptance.tgz, run this. Needs bash, coreutils, awk and a
# driver; python3 with torch and compute-sanitizer are used where they are, and named as absent where not.
#
#   accept.sh [--dry EMULATOR | --rehearse | --plan] [--only PHASE,...] [--out FOLDER]
#
# Phases follow each other, what matters most first, with a limit each, all together within ten minutes; one that dies leaves its
# row, and time that one does not take belongs to the next ones. FOLDER (results) receives table.csv, results.json and a log of
# each phase; the table is printed last, with the bars of bars.tsv and whether they are met. Exit code: number of failed rows,
# at most 100; a bar that is missed is no failed row.
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
phases=(verify verify-apart model model-apart verify-cublaslt verify-fp8 graph yardstick gemm piece layer
  verify-simple memcheck racecheck)
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
device=cuda:0
if [ -n "$rehearsal" ]; then device=cpu:0; fi
weft=$here/weft/weft
model=$here/weft/examples/demo-model
emulated=
[ -z "$emulator" ] || emulated="-Dweft.cuda.path=$emulator/lib -Dweft.cuda.images=$emulator/images -Dweft.cublaslt.path=$emulator/lib"
export WEFT_JAVA_OPTS=$emulated

# shellcheck source-path=SCRIPTDIR source=steps.sh
. "$here/steps.sh"
# shellcheck source-path=SCRIPTDIR source=table.sh
. "$here/table.sh"

# ---- what is here

if ! check devices 30 "$weft" devices --verbose; then
  cat "$out/devices.log"
  finish
fi
if [ -z "$plan" ] && ! grep -q "$device" "$out/devices.log"; then
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
fp8= # whether the device has FP8 units that products of warpgroups use
if [ -n "$plan" ] || grep "^$device/fp8 " "$out/devices.log" | grep -qv 'does not open'; then
  fp8=yes
elif [ -z "$rehearsal" ]; then
  row fp8 "" absent "" "" "" "" "" "the device has no variant $device/fp8"
fi

# ---- is it right: before any speed

part=()
prompt=(--prompt 64 --decode 8)
if [ -n "$emulator$rehearsal" ]; then
  part=(--ops norm)
  prompt=(--prompt 2 --decode 1)
fi
check verify 90 "$weft" verify --device "$device" --rounds 1 "${part[@]}"
check model 20 "$weft" compare "$model" --devices "$device" --rounds 1 "${prompt[@]}"
# kernels one after another: what passes so, and fails above, fails since kernels overlap
apart="$emulated -Dweft.cuda.overlap=false"
WEFT_JAVA_OPTS=$apart check verify-apart 25 "$weft" verify --device "$device" "${part[@]}"
WEFT_JAVA_OPTS=$apart check model-apart 20 "$weft" compare "$model" --devices "$device" --rounds 1 "${prompt[@]}"
[ -z "$cublaslt" ] || check verify-cublaslt 20 "$weft" verify --device "$device/cublaslt" --ops gemm
[ -z "$fp8" ] || check verify-fp8 20 "$weft" verify --device "$device/fp8" --ops gemm
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

! wanted yardstick || [ -n "$plan" ] || rm -f "$sticks"
if ! wanted yardstick; then
  :
elif [ -n "$emulator" ]; then
  row yardstick "" absent "" "" "" "" "" "emulator: says nothing of speed"
elif phase torch 20 python3 -c "import torch; ${rehearsal:-torch.cuda.init()}"; then
  # ceilings first, then the cases of the benchmarks below, under their names
  phase yardstick 45 python3 "$here/yardstick.py" ${rehearsal:+--rehearse} "$sticks" ||
    row yardstick "" FAIL "" "" "" "" "" "see yardstick.log: $(last_line yardstick)"
  [ ! -f "$sticks" ] || while IFS=$'\t' read -r name us remark; do
    row yardstick "$name" measured "" "$us" "" "" "" "$remark"
  done <"$sticks"
  [ ! -f "$out/yardstick.log" ] || grep '^absent' "$out/yardstick.log" | while IFS=$'\t' read -r _ name remark; do
    row yardstick "$name" absent "" "" "" "" "" "$remark"
  done
else
  row yardstick "" absent "" "" "" "" "" "python3 with torch that finds a device: $(ended torch $?)"
fi

if [ -n "$emulator" ]; then
  for name in gemm piece layer; do
    ! wanted "$name" || row "$name" "" absent "" "" "" "" "" "emulator: says nothing of speed"
  done
else
  # Limits: 3 s for a Java that opens a device, 0.6 s for a case (23 rounds, in each two units that multiply for 8 ms), weights at
  # 4 GB/s, and a quarter more.
  size() { # TRUE SMALL: a size, in a rehearsal the small one
    if [ -n "$rehearsal" ]; then echo "$2"; else echo "$1"; fi
  }
  rounds=(--rounds "$(size 20 2)")
  small=() # products that need not come from memory
  [ -z "$rehearsal" ] || small=(--weight-bytes 100000)
  shapes=(--model "$flash")
  both=$device${cublaslt:+,$device/cublaslt}
  all=$device${fp8:+,$device/fp8}${cublaslt:+,$device/cublaslt}
  side=$(size 4096 256)
  decode=$(size 4096 255)
  kinds=$(size window,window,csa,hca window,csa,hca,csa)
  linears=wq_b,wo_b,wo_a,wq_a+wkv,shared.w1+w3,shared.w2,gate,compressor.4,compressor.128,index.wq_b,index.compressor
  bench piece.experts "" 22 "$device" piece experts,fp8-experts --m 1,32,128 "${shapes[@]}"
  bench layer.stack "" 35 "$device" layer --kind "$kinds" --batch 1,32,128 --context "$decode" "${shapes[@]}"
  bench piece.prefill "" 12 "$device" piece experts,fp8-experts,prefill --m 4096 --context "$decode" "${shapes[@]}"
  [ -z "$fp8" ] || bench piece.fp8 "" 10 "$device/fp8" piece experts,fp8-experts --m 4096 "${shapes[@]}"
  bench gemm.wide wide 10 "$all" gemm --weights fp8 --m 4096 --k "$(size 1536 128)" --n "$(size 24576 256)" "${small[@]}"
  bench piece.decode "" 38 "$device" piece "attention,hyper,sample,$linears" --m 1,32,128 --context "$decode" "${shapes[@]}"
  bench piece.16k 16k 12 "$device" piece index,topk --m 1,32,128 --context "$(size 65535 255)" "${shapes[@]}"
  bench piece.262k 262k 22 "$device" piece hca,index,topk --m 1,32,128 --context "$(size 1048575 511)" "${shapes[@]}"
  bench piece.4k 4k 8 "$device" piece index --m 1,32,128 --context "$(size 16383 255)" "${shapes[@]}"
  bench gemm.square square 18 "$both" gemm --weights fp8,bf16 --m 1,32,128,4096 --k "$side" --n "$side" "${small[@]}"
  bench gemm.fp4 square 8 "$device" gemm --weights mxfp4 --m 1,32,128,4096 --k "$side" --n "$side" "${small[@]}"
  bench gemm.head head 12 "$both" gemm --weights bf16 --m 1,32 --k "$(size 4096 128)" --n "$(size 129280 1024)" "${small[@]}"
  bench gemm.narrow narrow 6 "$both" gemm --weights fp8 --m 16 --k "$(size 8192 256)" --n "$(size 4096 128)" "${small[@]}"
  WEFT_JAVA_OPTS=$apart \
    bench layer.apart apart 15 "$device" layer --kind "$kinds" --batch 1 --context "$decode" "${shapes[@]}"
fi

# ---- the simple kernels: should an operator fail above and pass here, its fast kernel is the suspect

[ -n "$emulator$rehearsal" ] || check verify-simple 20 "$weft" verify --device "$device/simple"

# ---- what compute-sanitizer sees: last, since it takes what time is left

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
