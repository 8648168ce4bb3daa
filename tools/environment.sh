# Sourced by the other tools: where the repository and its .venv are, and
# what every process is started with.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." > /dev/null && pwd -P)
venv=${GEMB_VENV:-$root/.venv}
case $venv in
  /*) ;;
  *) venv=$PWD/$venv ;;
esac

# TensorFlow greets on standard error, at length, unless told otherwise.
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}
export TF_ENABLE_ONEDNN_OPTS=${TF_ENABLE_ONEDNN_OPTS:-0}
# An outer PYTHONHOME would send .venv's Python to another standard library.
unset PYTHONHOME

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Sets .venv up and puts it first on PATH.
enter_venv() {
  "$root/tools/setup" "$1"
  export VIRTUAL_ENV=$venv
  export PATH=$venv/bin:$PATH
  # libtpu, which tests compile with, complains at length where it finds no TPU.
  if is_there "$venv/lib/python3*/site-packages/libtpu" \
    && ! is_there '/dev/accel*' && ! is_there '/dev/vfio/[0-9]*' \
    && ! is_there '/dev/nvidia[0-9]*' && ! is_there /dev/dxg; then
    export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}
  fi
}

# Whether a file matches a pattern.
is_there() {
  compgen -G "$1" > /dev/null
}
