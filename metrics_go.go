package main

import (
	"context"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"github.com/dialbridge/dialbridge/internal/httpd"
)

// exposeGo adds what the Go runtime says of itself, by the names and helps that dashboards for Go programs know.
func exposeGo(_ context.Context, e *httpd.Exposition) {
	e.Gauge("go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	threads, _ := runtime.ThreadCreateProfile(nil)
	e.Gauge("go_threads", "Number of OS threads created.", float64(threads))
	e.Gauge("go_info", "Information about the Go environment.", 1, "version", runtime.Version())
	exposeCollector(e)
	exposeMemory(e)
	settings := []struct{ source, name, help string }{
		{"/gc/gogc:percent", "go_gc_gogc_percent", "Heap size target percentage configured by the user, otherwise 100. This value is set by the GOGC environment variable, and the runtime/debug.SetGCPercent function. Sourced from /gc/gogc:percent."},
		{"/gc/gomemlimit:bytes", "go_gc_gomemlimit_bytes", "Go runtime memory limit configured by the user, otherwise math.MaxInt64. This value is set by the GOMEMLIMIT environment variable, and the runtime/debug.SetMemoryLimit function. Sourced from /gc/gomemlimit:bytes."},
		{"/sched/gomaxprocs:threads", "go_sched_gomaxprocs_threads", "The current runtime.GOMAXPROCS setting, or the number of operating system threads that can execute user-level Go code simultaneously. Sourced from /sched/gomaxprocs:threads."},
	}
	for _, s := range settings {
		read := []runtimemetrics.Sample{{Name: s.source}}
		if runtimemetrics.Read(read); read[0].Value.Kind() == runtimemetrics.KindUint64 {
			e.Gauge(s.name, s.help, float64(read[0].Value.Uint64()))
		}
	}
}

// exposeCollector tells of the garbage collector's pauses.
func exposeCollector(e *httpd.Exposition) {
	stats := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&stats)
	var quantiles []httpd.Quantile
	for i, pause := range stats.PauseQuantiles {
		quantiles = append(quantiles, httpd.Quantile{Quantile: float64(i) / 4, Value: pause.Seconds()})
	}
	e.Summary("go_gc_duration_seconds", "A summary of the wall-time pause (stop-the-world) duration in garbage collection cycles.", quantiles, stats.PauseTotal.Seconds(), uint64(stats.NumGC))
	e.Gauge("go_memstats_last_gc_time_seconds", "Number of seconds since 1970 of last garbage collection.", unixSeconds(stats.LastGC))
}

func exposeMemory(e *httpd.Exposition) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	put := func(name, help string, v uint64) { e.Gauge("go_memstats_"+name, help, float64(v)) }
	count := func(name, help string, v uint64) { e.Counter("go_memstats_"+name, help, float64(v)) }
	put("alloc_bytes", "Number of bytes allocated in heap and currently in use. Equals to /memory/classes/heap/objects:bytes.", m.Alloc)
	count("alloc_bytes_total", "Total number of bytes allocated in heap until now, even if released already. Equals to /gc/heap/allocs:bytes.", m.TotalAlloc)
	put("buck_hash_sys_bytes", "Number of bytes used by the profiling bucket hash table. Equals to /memory/classes/profiling/buckets:bytes.", m.BuckHashSys)
	count("frees_total", "Total number of heap objects frees. Equals to /gc/heap/frees:objects + /gc/heap/tiny/allocs:objects.", m.Frees)
	put("gc_sys_bytes", "Number of bytes used for garbage collection system metadata. Equals to /memory/classes/metadata/other:bytes.", m.GCSys)
	put("heap_alloc_bytes", "Number of heap bytes allocated and currently in use, same as go_memstats_alloc_bytes. Equals to /memory/classes/heap/objects:bytes.", m.HeapAlloc)
	put("heap_idle_bytes", "Number of heap bytes waiting to be used. Equals to /memory/classes/heap/released:bytes + /memory/classes/heap/free:bytes.", m.HeapIdle)
	put("heap_inuse_bytes", "Number of heap bytes that are in use. Equals to /memory/classes/heap/objects:bytes + /memory/classes/heap/unused:bytes", m.HeapInuse)
	put("heap_objects", "Number of currently allocated objects. Equals to /gc/heap/objects:objects.", m.HeapObjects)
	put("heap_released_bytes", "Number of heap bytes released to OS. Equals to /memory/classes/heap/released:bytes.", m.HeapReleased)
	put("heap_sys_bytes", "Number of heap bytes obtained from system. Equals to /memory/classes/heap/objects:bytes + /memory/classes/heap/unused:bytes + /memory/classes/heap/released:bytes + /memory/classes/heap/free:bytes.", m.HeapSys)
	count("mallocs_total", "Total number of heap objects allocated, both live and gc-ed. Semantically a counter version for go_memstats_heap_objects gauge. Equals to /gc/heap/allocs:objects + /gc/heap/tiny/allocs:objects.", m.Mallocs)
	put("mcache_inuse_bytes", "Number of bytes in use by mcache structures. Equals to /memory/classes/metadata/mcache/inuse:bytes.", m.MCacheInuse)
	put("mcache_sys_bytes", "Number of bytes used for mcache structures obtained from system. Equals to /memory/classes/metadata/mcache/inuse:bytes + /memory/classes/metadata/mcache/free:bytes.", m.MCacheSys)
	put("mspan_inuse_bytes", "Number of bytes in use by mspan structures. Equals to /memory/classes/metadata/mspan/inuse:bytes.", m.MSpanInuse)
	put("mspan_sys_bytes", "Number of bytes used for mspan structures obtained from system. Equals to /memory/classes/metadata/mspan/inuse:bytes + /memory/classes/metadata/mspan/free:bytes.", m.MSpanSys)
	put("next_gc_bytes", "Number of heap bytes when next garbage collection will take place. Equals to /gc/heap/goal:bytes.", m.NextGC)
	put("other_sys_bytes", "Number of bytes used for other system allocations. Equals to /memory/classes/other:bytes.", m.OtherSys)
	put("stack_inuse_bytes", "Number of bytes obtained from system for stack allocator in non-CGO environments. Equals to /memory/classes/heap/stacks:bytes.", m.StackInuse)
	put("stack_sys_bytes", "Number of bytes obtained from system for stack allocator. Equals to /memory/classes/heap/stacks:bytes + /memory/classes/os-stacks:bytes.", m.StackSys)
	put("sys_bytes", "Number of bytes obtained from system. Equals to /memory/classes/total:byte.", m.Sys)
}
