// Package datadir knows what lies where in the data directory of a command, and which
// process may use it.
//
// It stands between the commands and packages embedded, processors and views: it finds
// or starts the broker, and hands out directories that nobody else is using.
//
//	kafka/, broker.*   the embedded broker (package embedded)
//	serving.lock       held by the process whose broker is there to stay
//	instances/         identity and local state of each process that runs a pipeline
//	replicas/          what readers keep of views
//
//	D1. All locks are the system's own and end with their process, kill -9 included.
//	D2. A directory is handed to one process at a time. A second gets another one.
//	D3. Nothing but kafka/ is precious: the rest is a cache of topics.
package datadir
