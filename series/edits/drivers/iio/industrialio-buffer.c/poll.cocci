// SPDX-License-Identifier: GPL-2.0-only
// poll() on a buffer whose device is gone: there is nothing to wait for. With 0
// who polls without a timeout would do so for ever.
@@
identifier dev, rb;
@@
 iio_buffer_poll(...)
 {
 	...
 	if (!dev->info || !rb)
-		return 0;
+		return EPOLLERR | EPOLLHUP;
 	...
 }
