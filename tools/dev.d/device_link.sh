# shellcheck shell=bash
# How a device is reached: `link_to HOST` sets the transport, then `on_device COMMAND` runs a POSIX shell command there
# (standard streams and exit code pass through) and `put_on_device FOLDER TARGET` copies a folder's content.
# HOST is what ssh takes ([user@]name) or adb:SERIAL. The last command for the device is kept in $device_command_file.
device_command_file=${device_command_file:-/dev/null}

link_to() { # HOST [SSH CONFIGURATION]
  device_host=$1
  case $device_host in
    adb:?*)
      link=adb
      command -v adb > /dev/null || bad_usage "device: '$device_host' wants adb, which is not installed"
      ;;
    adb:* | -* | '' | *[!A-Za-z0-9@._:%-]*)
      bad_usage "device: '$device_host' is no device, allowed: [user@]host as ssh takes it, or adb:SERIAL"
      ;;
    *)
      link=ssh
      # Never a question: the commands run unattended.
      ssh_command=(ssh ${2:+-F "$2"} -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=3 "$device_host")
      ;;
  esac
}

on_device() {
  echo "$1" > "$device_command_file"
  if [ "$link" = adb ]; then
    adb -s "${device_host#adb:}" shell -T "$1"
  else
    "${ssh_command[@]}" "$1"
  fi
}

put_on_device() {
  echo "$1" > "$device_command_file"
  if [ "$link" = adb ]; then
    adb -s "${device_host#adb:}" push "$1/." "$2/" > /dev/null
  else
    tar -C "$1" -cf - . | "${ssh_command[@]}" "tar -C '$2' -xf -"
  fi
}

# What a person can try when a command on the way to the device failed.
link_advice() {
  if [ "$link" = adb ]; then
    echo "'adb devices' must list ${device_host#adb:} as 'device'"
  else
    echo "'ssh $device_host true' must work without a password"
  fi
}
