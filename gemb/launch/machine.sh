# From here on the same for every job. On each machine of a slice, in order:
#
#   bash TASK.sh set_up   the data, the code and its environment; again: nothing
#   bash TASK.sh start    the supervisor, which outlives the connection
#   bash TASK.sh status | logs | stop
#
# or, where this is a container's own process, `bash TASK.sh run`.

set -eEuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
script=$(basename "${BASH_SOURCE[0]}")
uv_version=0.13.9

say() {
  echo "$(hostname): $*"
}

fail() {
  say "$*" >&2
  exit 2
}

# What one machine writes, the others look for at once: nothing may be
# remembered, least of all that a file was not there.
mount_bucket() {
  if [ -z "$bucket" ] || mountpoint --quiet bucket; then
    return
  fi
  mkdir -p bucket
  command -v gcsfuse > /dev/null || sudo apt-get install --yes gcsfuse \
    || fail 'gcsfuse is not there and cannot be installed; see' \
      'https://cloud.google.com/storage/docs/cloud-storage-fuse/install.'
  gcsfuse --metadata-cache-ttl-secs=0 --metadata-cache-negative-ttl-secs=0 \
    "$bucket" bucket
}

# Examples are read in a random order, one by one, which a bucket is slow at.
copy_data() {
  if [ -n "$data" ]; then
    mkdir -p data
    gcloud storage rsync --recursive "gs://$bucket/$data" data
  fi
}

unpack() {
  [ ! -d "$code" ] || return 0
  rm -rf unpacking
  mkdir unpacking
  tar --extract --gzip --file=code.tar.gz --directory=unpacking
  mv "unpacking/$code" "$code"
  rmdir unpacking
}

# The images of TPU VMs have Python 3.10.
find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null; then
      return
    fi
  done
  python3 -m pip install --user --quiet "uv==$uv_version"
  "$HOME/.local/bin/uv" python install 3.12
  PYTHON=$("$HOME/.local/bin/uv" python find 3.12)
  export PYTHON
}

# Status 2 tells the launch of a mistake; it may be given again after others.
set_up() {
  trap 'exit 2' ERR
  mount_bucket
  copy_data
  unpack
  find_python
  "$code/tools/setup"
  "$code/.venv/bin/python" -m pip install --quiet --no-build-isolation \
    --editable "./${code}[$extras]"
  say 'is set up.'
}

read_secrets() {
  local pair value
  for pair in ${secrets[@]+"${secrets[@]}"}; do
    value=$(gcloud secrets versions access latest --secret="${pair#*=}" \
      --project="$project") \
      || fail "the secret ${pair#*=} cannot be read; does the machine's" \
        'service account have the role roles/secretmanager.secretAccessor?'
    export "${pair%%=*}=$value"
  done
}

# The process itself, so that a signal to the container reaches the supervisor.
run() {
  set_up
  read_secrets
  exec "${command[@]}"
}

start() {
  if is_running; then
    say 'runs already.'
    return
  fi
  rm -f ended
  setsid nohup bash "$script" supervise >> log.txt 2>&1 < /dev/null &
  echo $! > pid
  say 'has started.'
}

# Bash waits for the supervisor before it heeds SIGTERM, and so has its status.
supervise() {
  trap 'echo $? > ended' EXIT
  trap : TERM
  read_secrets
  "${command[@]}"
}

# After a reboot the number may be that of another process.
is_running() {
  [ -s pid ] && grep --quiet --text --fixed-strings "$script" \
    "/proc/$(cat pid)/cmdline" 2> /dev/null
}

status() {
  local state='does not run.' status=
  [ ! -s ended ] || status=$(cat ended)
  case $status in
    '') ! is_running || state='runs.' ;;
    0) state='has ended.' ;;
    42) state='was stopped with status 42, and has saved.' ;;
    *) state="failed with status $status; $PWD/log.txt there tells why." ;;
  esac
  say "$state"
}

logs() {
  tail --lines=100 log.txt
}

stop() {
  local look
  if is_running; then
    kill -TERM -- "-$(cat pid)"
    for ((look = 0; look < 3000; look++)); do
      is_running || break
      sleep 0.1
    done
    ! is_running || fail 'has not saved within 300 s, and still runs.'
  fi
  status
}

main() {
  [ -z "$data" ] || export GEMB_DATA="${GEMB_DATA:-$PWD/data}"
  case $1 in
    set_up | start | supervise | status | logs | stop | run) "$1" ;;
    *) fail "set_up, start, status, logs, stop and run are known, not '$1'." ;;
  esac
}

# In one line, since bash goes on reading a file that is replaced as it runs.
main "${1:-}"; exit
