"""Many runs at once: algorithms × seeds × any setting, over the cores of one machine or over a cluster.

`grid` says which runs, `work` what one of them is, `spreading` where they are done, `folder` what is kept of them, `sweep`
puts these together; `table` and `plot` show what came of it, and `intervals` says how sure that is.
"""
