# Completion of pds for fish. The program finds the values; this script passes the words of the line.
function __pds_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    PDS_COMPLETE=fish pds -- $words "$current" 2>/dev/null
end
complete --command pds --no-files --keep-order --arguments '(__pds_complete)'
