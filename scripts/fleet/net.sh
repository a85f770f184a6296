#!/usr/bin/env bash
# Hosts that are network namespaces of this computer, each with its name, its address and its sshd, behind one switch:
#   net.sh up [RATE]   links of RATE both ways (1gbit; none: as fast as memory)
#   net.sh run SIZE COMMAND…   mpirun of Open MPI over them, a process on each of the first SIZE hosts
#   net.sh down
# As root, with iproute2 and openssh-server. Nothing outside of /tmp/grutto-net and these namespaces is changed.
set -euo pipefail
HOSTS=3
at=/tmp/grutto-net
case "${1:-}" in
up)
  rate=${2:-1gbit}
  mkdir -p $at /run/sshd
  [ -f $at/key ] || ssh-keygen -q -t ed25519 -N '' -f $at/key
  [ -f $at/host ] || ssh-keygen -q -t ed25519 -N '' -f $at/host
  cp $at/key.pub $at/authorized
  ip netns add gsw
  ip -n gsw link add br0 type bridge
  ip -n gsw link set br0 up
  for i in $(seq $HOSTS); do
    ip netns add gh$i
    ip link add eth0 netns gh$i type veth peer name p$i netns gsw
    ip -n gsw link set p$i master br0
    ip -n gsw link set p$i up
    ip -n gh$i link set lo up
    ip -n gh$i addr add 10.77.0.$i/24 dev eth0
    ip -n gh$i link set eth0 up
    if [ "$rate" != none ]; then
      ip netns exec gh$i tc qdisc add dev eth0 root tbf rate $rate burst 128kb latency 20ms
      ip netns exec gsw tc qdisc add dev p$i root tbf rate $rate burst 128kb latency 20ms
    fi
    mkdir -p /etc/netns/gh$i
    { echo '127.0.0.1 localhost'; for j in $(seq $HOSTS); do echo "10.77.0.$j gh$j"; done; } > /etc/netns/gh$i/hosts
    printf '%s\n' 'Port 2222' "ListenAddress 10.77.0.$i" "HostKey $at/host" "AuthorizedKeysFile $at/authorized" \
      'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'StrictModes no' 'UsePAM no' "PidFile $at/sshd$i.pid" > $at/sshd$i
    ip netns exec gh$i unshare --uts sh -c "hostname gh$i; exec $(command -v sshd) -f $at/sshd$i"
  done
  ;;
run)
  size=$2
  shift 2
  hosts=$(seq -s, -f 'gh%g' "$size")
  cd "$(dirname "$0")/../.."
  exec ip netns exec gh1 unshare --uts sh -c 'hostname gh1; exec "$@"' sh mpirun --allow-run-as-root --host "$hosts" -n "$size" --map-by node \
    --bind-to none --mca plm_rsh_args "-i $at/key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR" \
    --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --mca btl self,tcp --mca mpi_yield_when_idle 1 "$@"
  ;;
down)
  for i in $(seq $HOSTS); do
    [ -f $at/sshd$i.pid ] && kill "$(cat $at/sshd$i.pid)"
    ip netns del gh$i || true
    rm -rf /etc/netns/gh$i
  done
  ip netns del gsw || true
  rmdir /etc/netns 2>/dev/null || true
  ;;
*)
  echo "usage: $0 up [RATE] | run SIZE COMMAND… | down" >&2
  exit 2
  ;;
esac
