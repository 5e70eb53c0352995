# voices.awk - plans the simulated farmers' recordings for make-voices: prints
# file, voice, speed, pitch, silence before and after, text (seven lines each)
# and writes the manifest. Own random numbers, so that every awk gives the same plan.

function random(n) {
    state = (state * 16807) % 2147483647
    return int(state / 2147483647 * n)
}

function pick(list, parts) {
    return parts[1 + random(split(list, parts, ","))]
}

function number_words(n, tens_words, ones_words) {
    split("one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen,fifteen,sixteen,seventeen,eighteen,nineteen", ones_words, ",")
    split("ten,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety", tens_words, ",")
    if (n < 20)
        return ones_words[n]
    return tens_words[int(n / 10)] (n % 10 ? " " ones_words[n % 10] : "")
}

function bags() {
    return random(4) ? number_words(2 + random(38)) : number_words(40 + random(59))
}

function kilograms() {
    if (random(3))
        return number_words(1 + random(9)) " hundred"
    return number_words(10 + 10 * random(9))
}

function fill(text) {
    gsub(/BAGS/, bags() " bags", text)
    gsub(/KG/, kilograms() " kilograms", text)
    gsub(/VARIETY/, pick(varieties), text)
    gsub(/GRADE/, "grade " pick("A,A,A,B,B,C,one,two,three"), text)
    gsub(/FARMER/, pick(farmers), text)
    gsub(/PLACE/, pick(places), text)
    return text
}

BEGIN {
    state = (seed * 7919 + 12345) % 2147483646 + 1
    for (i = 0; i < 8; i++)
        random(2)
    varieties = "yirgacheffe,sidamo,guji,harar,limu,jimma,lekempti,bebeka,kaffa,arabica"
    farmers = "john,mary,peter,daniel,samuel,david,sarah,martha,ruth,hannah,abebe,kebede,alemu,bekele,tadesse,tesfaye,girma,haile,dawit,yonas,solomon,mulugeta,getachew,worku,almaz,tigist,hirut,chaltu,tola,lensa"
    places = "addis ababa,dilla,hawassa,jimma,harar,nekemte,adama,gondar"
    split("record commission for BAGS of VARIETY GRADE from farmer FARMER;" \
          "record commission for BAGS of VARIETY GRADE from farmer FARMER;" \
          "record commission for BAGS of VARIETY from farmer FARMER;" \
          "record commission for KG of VARIETY from farmer FARMER;" \
          "commission BAGS of VARIETY GRADE from FARMER;" \
          "new batch of BAGS of VARIETY from farmer FARMER;" \
          "record receipt of BAGS of VARIETY from farmer FARMER;" \
          "received BAGS of VARIETY GRADE from PLACE;" \
          "received BAGS of VARIETY from FARMER in good condition;" \
          "record shipment of BAGS of VARIETY to PLACE;" \
          "shipped KG of VARIETY GRADE to PLACE;" \
          "record shipment of BAGS of VARIETY GRADE to PLACE;" \
          "milled five bags of VARIETY into two hundred and fifty kilograms;" \
          "hulled ten bags of VARIETY into five hundred kilograms;" \
          "roasted two bags of VARIETY GRADE into one hundred kilograms;" \
          "please stop calling me", forms, ";")
    form_count = 16
    voices = "en-us,en-us,en-us+m3,en-us+m7,en-us+m1,en-us+f2,en-us+m4,en-us+f4,en-gb,en-us+m2"
    manifest = dir "/manifest.json"
    printf "[" > manifest
    for (made = 0; made < count;) {
        # The first recording is the one every document quotes.
        if (made == 0)
            text = "record commission for five bags of yirgacheffe grade A from farmer john"
        else
            text = fill(forms[1 + random(form_count)])
        if (text in said)
            continue
        said[text] = 1
        made++
        file = sprintf("farmer-%04d.wav", made)
        # Long sentences are spoken faster: few recordings pass six seconds.
        speed = length(text) > 52 ? 140 + random(11) : 110 + random(41)
        if (made == 1)
            speed = 120
        voice = made == 1 ? "en-us" : pick(voices)
        printf "%s\n%s\n%d\n%d\n0.%02d\n0.%02d\n%s\n", file, voice, speed,
               40 + random(21), 15 + random(25), 20 + random(30), text
        printf "%s\n {\"file\": \"%s\", \"text\": \"%s\"}", (made > 1 ? "," : ""), file, text > manifest
    }
    printf "\n]\n" > manifest
}
