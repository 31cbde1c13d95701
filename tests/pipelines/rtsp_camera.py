#!/usr/bin/python3
"""A camera for tests: an RTSP server on 127.0.0.1 (libgstrtspserver, through Debian's own Python).

  rtsp_camera.py PORT [WIDTHxHEIGHT [USER:PASSWORD]]

Serves rtsp://127.0.0.1:PORT/cam, motion JPEG at 15 pictures per second; prints its port (PORT 0: one the system
chooses) once clients may come. It stalls under SIGSTOP and disconnects when it is killed.
"""
import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # pylint: disable=wrong-import-position


def require_login(server, login):
    user, _, password = login.partition(':')
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', 'viewer')
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)


def factory(size, login):
    width, _, height = size.partition('x')
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f'( videotestsrc is-live=true ! video/x-raw,format=I420,width={width},height={height},framerate=15/1'
                    ' ! jpegenc ! rtpjpegpay name=pay0 )')
    made.set_shared(True)
    made.set_latency(0)
    if login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role('viewer', 'media.factory.access', True)
        permissions.add_permission_for_role('viewer', 'media.factory.construct', True)
        made.set_permissions(permissions)
    return made


def main(port='0', size='320x240', login=''):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address('127.0.0.1')
    server.set_service(port)
    if login:
        require_login(server, login)
    server.get_mount_points().add_factory('/cam', factory(size, login))
    if server.attach(None) == 0:
        sys.exit(f'rtsp_camera: port {port} cannot be had')
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == '__main__':
    main(*sys.argv[1:])
