#!/usr/bin/env bash
# Install Debian's SLURM and munge, for root. Their daemons are not started: tests start their own.
set -euo pipefail
command -v slurmctld slurmd munged sbatch >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "error: installing SLURM takes apt-get and root" >&2
  exit 2
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then # what Debian asks before it starts a service
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
