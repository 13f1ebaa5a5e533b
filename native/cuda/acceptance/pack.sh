#!/bin/sh
# Packs what a machine with an NVIDIA device needs to judge the CUDA backend, without Java and without a network: the
# distribution with its own Java and images for every target, and accept.sh. Usage: pack.sh [FOLDER], default target/acceptance.
# Needs nvcc and a JDK; refuses a pack in which a kernel lacks a target. With WEFT_DISTRIBUTION=FOLDER a distribution that was made
# before is packed, whatever images it has: what is missing is listed.
set -eu
here=$(CDPATH="" cd -- "$(dirname "$0")" && pwd -P)
root=$(CDPATH="" cd -- "$here/../../.." && pwd -P)
out=${1:-$root/target/acceptance}
most=$((60 * 1024 * 1024))

distribution=${WEFT_DISTRIBUTION-}
if [ -z "$distribution" ]; then
  "$root/mvnw" -f "$root/pom.xml" -B -ntp -q -Pdist package -DskipTests -Dweft.native=require -Dweft.cuda.targets=all
  distribution=$(find "$root/cli/target" -maxdepth 1 -type d -name 'weft-[0-9]*')
fi
[ -x "$distribution/weft" ] || { echo "pack.sh: no distribution in '$distribution'" >&2; exit 1; }

# a device without an image of its own would be judged by slower kernels, or not at all
missing=
there=$("${JAVA_HOME:+$JAVA_HOME/bin/}jar" --list --file "$(find "$distribution" -name 'weft-backend-cuda-*.jar')")
for kernel in "$root"/native/cuda/kernels/*.cu; do
  for image in sm_80.cubin sm_89.cubin sm_90a.cubin sm_100f.cubin sm_120f.cubin compute_80.ptx; do
    name=$(basename "$kernel" .cu).$image
    case $there in *"/$name"*) ;; *) missing="$missing $name" ;; esac
  done
done
if [ -n "$missing" ]; then
  echo "pack.sh: images missing in '$distribution':$missing" >&2
  [ -n "${WEFT_DISTRIBUTION-}" ] || exit 1
fi

rm -rf "$out/pack" "$out/weft-acceptance.tgz" # nothing else of a folder that may be anybody's
mkdir -p "$out/pack"
cp -R "$distribution" "$out/pack/weft"
find "$here" -maxdepth 1 -type f ! -name pack.sh -exec cp {} "$out/pack" \;
tar -C "$out/pack" -czf "$out/weft-acceptance.tgz" .
bytes=$(wc -c <"$out/weft-acceptance.tgz")
echo "$out/weft-acceptance.tgz: $bytes bytes"
[ "$bytes" -le "$most" ] || { echo "pack.sh: more than $most bytes" >&2; exit 1; }
