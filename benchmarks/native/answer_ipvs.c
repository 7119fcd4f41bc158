/* Lets keepalived's checkers run on a kernel without IPVS.  It is preloaded, returns success for the IP_VS socket
 * options and passes on all other calls.  Option numbers: include/uapi/linux/ip_vs.h (IP_VS_BASE_CTL and the next
 * sixteen). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST (64 + 1024 + 64)
#define LAST (FIRST + 15)

typedef int (*set_option)(int, int, int, const void *, socklen_t);
typedef int (*get_option)(int, int, int, void *, socklen_t *);

static int is_ip_vs(int level, int name)
{
	return level == IPPROTO_IP && name >= FIRST && name <= LAST;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	static set_option next;

	if (is_ip_vs(level, name))
		return 0;
	if (!next)
		next = (set_option)dlsym(RTLD_NEXT, "setsockopt");
	return next(fd, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
	static get_option next;

	if (is_ip_vs(level, name)) {
		if (value && length)
			memset(value, 0, *length);
		return 0;
	}
	if (!next)
		next = (get_option)dlsym(RTLD_NEXT, "getsockopt");
	return next(fd, level, name, value, length);
}
