// Package oracle proves views right: it draws streams, queries and deliveries at random,
// computes what each view must hold at every instant, and compares.
//
// It stands outside the flow of data. Its evaluator shares no code with the planner and
// the operators: a query is a small tree that is both written as SQL, for the planner,
// and evaluated by nested loops over the rows as they stood at an instant. What is drawn
// runs twice: in memory, where the planned operators are driven message by message
// (thousands of cases a minute), and end to end as a pipeline test on an embedded broker.
//
//	O1  A case is a function of its seed.
//	O2  The evaluator knows three-valued logic, null join keys that match nothing, and
//	    aggregates that leave nulls out: no rows give count 0 and else null.
//	O3  A query that the planner refuses is counted, and is a small share of all.
//	O4  A case that fails is made smaller while it fails, and written as a pipeline test.
package oracle
