# Completion of pds for bash. The program finds the values; this script passes the words of the line.
_pds() {
    local rest="$COMP_LINE" before reply whole word start=0 i
    local -a words=()
    # Bash splits words at colons and other characters; what has no space between is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if ((i == 0)) || [[ "$rest" == [[:space:]]* || ${#word} -eq 0 ]]; then
            words+=("$word")
            rest="${rest#"${rest%%[![:space:]]*}"}"
            start=$((${#COMP_LINE} - ${#rest}))
        else
            words[${#words[@]} - 1]+="$word"
        fi
        rest="${rest#"$word"}"
    done
    # Only the part before the cursor counts. Bash replaces its end, which is $2.
    whole="${COMP_LINE:start:COMP_POINT - start}"
    words[${#words[@]} - 1]="$whole"
    before="${whole%"$2"}"
    COMPREPLY=()
    while IFS= read -r reply; do
        # What precedes the part that bash replaces stays on the line.
        reply="${reply#"${before#[\"\']}"}"
        if [[ "$reply" == *[[:space:]\'\"\\\$\&\;\(\)\<\>\|\*\?\!\`]* && "$word" != [\'\"]* ]]; then
            printf -v reply '%q' "$reply"
        fi
        COMPREPLY+=("$reply")
    done < <(PDS_COMPLETE=bash pds -- "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[/:=.] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _pds pds 2>/dev/null || complete -F _pds pds
