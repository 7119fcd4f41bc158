/* A web server that is never the bottleneck: one epoll loop, the same answer to every request, connection closed.
 * It listens on the given port of every loopback address, and prints the number of requests so far on SIGUSR1. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
			     "Connection: close\r\n\r\ntest\n";
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
	(void)number;
	asked = 1;
}

static void take_connections(int poller, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
	}
}

/* Returns the number of requests answered: one or none. */
static int serve(int fd)
{
	char buffer[8192];
	ssize_t size = read(fd, buffer, sizeof(buffer));

	if (size <= 0) {
		if (size == 0 || errno != EAGAIN)
			close(fd);
		return 0;
	}
	if (size < 4 || memcmp(buffer + size - 4, "\r\n\r\n", 4))
		return 0;
	if (write(fd, answer, sizeof(answer) - 1) < 0)
		return 0;
	shutdown(fd, SHUT_WR);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	struct sigaction action = {.sa_handler = on_signal};
	struct epoll_event event = {.events = EPOLLIN}, events[256];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0), one = 1;
	unsigned long served = 0;

	address.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4096)) {
		perror("listen");
		return 1;
	}
	sigaction(SIGUSR1, &action, NULL);
	event.data.fd = listener;
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(poller, events, 256, 10); /* the signal may have come just before */

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				take_connections(poller, listener);
			else
				served += serve(events[i].data.fd);
		}
		if (asked) {
			asked = 0;
			printf("%lu\n", served);
			fflush(stdout);
		}
	}
}
