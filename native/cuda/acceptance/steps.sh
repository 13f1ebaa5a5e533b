# Phases of accept.sh, which sources this: each has a limit and leaves rows, whatever becomes of it.
# shellcheck shell=bash disable=SC2154,SC2034 # variables of accept.sh

row() { # PHASE CASE RESULT OURS_US YARDSTICK_US OF_LIMIT BAR VERDICT REMARK
  local IFS=$'\t'
  [ -n "$plan" ] || echo "${*//$'\t'/ }" >>"$rows"
}

# wanted NAME: whether the phase is run; NAME may be longer by a dot and a case.
wanted() {
  [ -z "$only" ] || case $only in *",${1%%.*},"*) true ;; *) false ;; esac
}

# phase NAME SECONDS COMMAND...: runs it with a limit, output to NAME.log, and says whether it succeeded. The limit is when it has
# to be done: what the phases before it did not take, or were not there to take, is its own. What it took is in $took, which is empty
# where no time was left to begin.
phase() {
  local name=$1 limit=$2 left start=$SECONDS code
  took=
  shift 2
  planned=$((planned + limit))
  if [ -n "$plan" ]; then
    printf '%4d s %s\n' "$limit" "$name"
    return 0
  fi
  left=$(((planned < most ? planned : most) - SECONDS))
  if [ "$left" -lt 5 ]; then
    echo "out of time" >"$out/$name.log"
    return 124
  fi
  printf '%4ds %s\n' "$SECONDS" "$name" >&2
  timeout -k 5 "$left" "$@" >"$out/$name.log" 2>&1
  code=$?
  [ $code -ne 137 ] || planned=$((planned + 5)) # what it did not end in is not taken from the next one
  took=$((SECONDS - start))
  return $code
}

last_line() { # NAME: of a phase's log
  tail -n 1 "$out/$1.log" | tr '\001-\011\013-\037' ' '
}

ended() { # NAME CODE: how a phase failed
  echo "exit code $2 after ${took:-0} s, see $1.log: $(last_line "$1")"
}

# check NAME SECONDS COMMAND...: a phase whose exit code is the result.
check() {
  local code
  [ "$1" = devices ] || wanted "$1" || return 0
  phase "$@"
  code=$?
  if [ $code -eq 0 ]; then
    row "$1" "" pass "" "" "" "" "" "$took s"
  else
    row "$1" "" FAIL "" "" "" "" "" "$(ended "$1" $code)"
  fi
  return $code
}

# bench NAME SUFFIX SECONDS DEVICES ARGUMENTS...: rows and facts of a benchmark, also of what it measured before it died. The suffix
# tells cases apart that have the same name.
bench() {
  local name=$1 suffix=$2 limit=$3 on=$4
  shift 4
  wanted "$name" || return 0
  phase "$name" "$limit" "$weft" bench "$@" --device "$on" "${rounds[@]}" -o jsonl ||
    row "$name" "" FAIL "" "" "" "" "" "see $name.log: $(last_line "$name")"
  [ -n "$plan" ] || awk -v phase="${name%%.*}" -v suffix="$suffix" -v sticks="$sticks" -v facts="$facts" \
    -f "$here/facts.awk" "$out/$name.log" >>"$rows"
}

# sanitize TOOL OPERATORS SECONDS: their conformance cases under a tool. That they are slow under it is no failure, a finding is.
findings='^=+ +((Error|Warning): (Race|Potential)|Invalid|Misaligned|Barrier error|Program hit|[A-Z]+ SUMMARY: [1-9])'
sanitize() {
  local tool=$1 ops=$2 limit=$3 code
  phase "$tool.$ops" "$limit" compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 1 \
    "$weft" verify --device "$device" --ops "$ops"
  code=$?
  if [ $code -eq 0 ]; then
    row "$tool" "$ops" pass "" "" "" "" "" "$took s"
  elif [ -z "$took" ]; then
    row "$tool" "$ops" absent "" "" "" "" "" "no time left"
  elif { [ $code -eq 124 ] || [ $code -eq 137 ]; } && ! grep -qE "$findings" "$out/$tool.$ops.log"; then
    row "$tool" "$ops" info "" "" "" "" "" "not finished in $took s, nothing found"
  else
    row "$tool" "$ops" FAIL "" "" "" "" "" "$(ended "$tool.$ops" $code)"
  fi
}
