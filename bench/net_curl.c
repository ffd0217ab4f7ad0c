/*
 * net_curl URL CA_FILE N J h1|h2: what bench_net does, by libcurl's multi
 * interface.  net.py compiles it where libcurl's headers are installed.
 */

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char body[] =
    "{\"model\":\"scripted\",\"stream\":true,\"input\":\"hello\"}";
static unsigned long long bytes;

static size_t
got(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	bytes += size * n;
	return size * n;
}

/* The most memory that this program had; ru_maxrss begins with what it was
   forked from. */
static long
peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kib;
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static CURL *
make(char **argv, struct curl_slist *fields)
{
	char url[256];
	CURL *c = curl_easy_init();

	snprintf(url, sizeof url, "%s/v1/responses", argv[1]);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, got);
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION,
	    (long)(CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2));
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    argv[5][1] == '1' ? (long)CURL_HTTP_VERSION_1_1
			      : (long)CURL_HTTP_VERSION_2TLS);
	return c;
}

int
main(int argc, char **argv)
{
	unsigned total, jobs, ok = 0, failed = 0, started = 0;
	struct curl_slist *fields = NULL;
	struct timespec t0, t1;
	struct rusage ru;
	long connects = 0;
	int running, left;
	double cpu;
	CURLMsg *m;
	CURLM *multi;

	if (argc != 6)
		return 64;
	total = (unsigned)strtoul(argv[3], NULL, 10);
	jobs = (unsigned)strtoul(argv[4], NULL, 10);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
	fields = curl_slist_append(fields, "Content-Type: application/json");
	fields = curl_slist_append(fields, "Accept: text/event-stream");
	fields = curl_slist_append(fields, "Authorization: Bearer none");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (; started < jobs && started < total; started++)
		curl_multi_add_handle(multi, make(argv, fields));
	do {
		curl_multi_perform(multi, &running);
		while ((m = curl_multi_info_read(multi, &left)) != NULL) {
			CURL *c = m->easy_handle;
			long status = 0, n = 0;

			curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
			curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &n);
			connects += n;
			if (m->data.result == CURLE_OK && status == 200)
				ok++;
			else if (failed++ < 3)
				fprintf(stderr, "%ld %s\n", status,
				    curl_easy_strerror(m->data.result));
			curl_multi_remove_handle(multi, c);
			if (started < total) {
				started++;
				curl_multi_add_handle(multi, c);
				running = 1;
			} else {
				curl_easy_cleanup(c);
			}
		}
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	} while (ok + failed < total);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	getrusage(RUSAGE_SELF, &ru);
	cpu = seconds(ru.ru_utime) + seconds(ru.ru_stime);
	printf("{\"client\":\"libcurl\",\"ok\":%u,\"failed\":%u,"
	       "\"bytes\":%llu,\"wall_s\":%.3f,\"cpu_us_each\":%.1f,"
	       "\"rss_kib\":%ld,\"connections\":%ld}\n",
	    ok, failed, bytes,
	    (double)(t1.tv_sec - t0.tv_sec) +
		(double)(t1.tv_nsec - t0.tv_nsec) / 1e9,
	    1e6 * cpu / total, peak_kib(), connects);
	return ok == total ? 0 : 1;
}
