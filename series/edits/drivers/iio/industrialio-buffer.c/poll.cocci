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

// That its device is gone concerns all who wait, exclusive ones too.
@@
expression q;
@@
 iio_buffer_wakeup_poll(...)
 {
 <...
-wake_up(q);
+wake_up_all(q);
 ...>
 }
