# From here on the same for every job. All processes of the run are one step:
# where one dies srun ends the others, and the step is begun again.

set -uo pipefail

say() {
  echo "$SLURM_JOB_ID on $(hostname): $*"
}

# Wanted by `gemb launch stop`, which a preemption and the time limit are not.
is_stopped() {
  [ -e "$stopped" ]
}

task=${SLURM_ARRAY_TASK_ID:-0}
command=("$python" -m gemb.main train "--gin_file=${gin_files[task]}"
  "--workdir=${workdirs[task]}")

for ((start = 1; ; start++)); do
  if is_stopped; then
    exit 42
  fi
  say "start $start of ${command[*]}"
  srun --kill-on-bad-exit=1 "${command[@]}"
  status=$?
  say "the run ended with status $status."
  if is_stopped; then
    exit "$status"
  fi
  case $status in
    0 | 1 | 2 | 130) exit "$status" ;;
    42 | 143)
      # It has saved in the last minutes of its time, or for another job (143:
      # it had not begun, and SIGTERM ended it): its place in the queue is a
      # new one.
      scontrol requeue "$SLURM_JOB_ID"
      exit "$status"
      ;;
  esac
  if [ "$start" -gt "$restarts" ]; then
    say "that was the last of $start starts."
    exit "$status"
  fi
  sleep "$pause"
done
