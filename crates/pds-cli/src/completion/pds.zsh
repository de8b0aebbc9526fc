#compdef pds
# Completion of pds for zsh. The program finds the values; this script passes the words of the line.
_pds() {
    local line value
    local -a values shown open open_shown
    for line in "${(@f)$(PDS_COMPLETE=zsh pds -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        [[ -n "$line" ]] || continue
        value="${line%%$'\t'*}"
        if [[ "$value" == *[/:=] ]]; then
            open+=("$value")
            open_shown+=("${line//$'\t'/  -- }")
        else
            values+=("$value")
            shown+=("${line//$'\t'/  -- }")
        fi
    done
    # Values that go on have no space after them.
    (( ${#open} )) && compadd -V pds-open -S '' -l -d open_shown -a -- open
    (( ${#values} )) && compadd -V pds -l -d shown -a -- values
}
if [[ "${funcstack[1]}" == "_pds" ]]; then
    _pds "$@"
else
    compdef _pds pds
fi
