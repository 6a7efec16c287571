#!/usr/bin/env bash
# Install SLURM and munge from Debian, as root. The tests start daemons of their own, so none is
# started here.
set -euo pipefail
command -v slurmctld slurmd munged sbatch >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "error: SLURM can only be installed by root, with apt-get" >&2
  exit 2
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then # Debian runs this script before it starts a service
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
