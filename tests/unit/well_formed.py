"""Every XML file below a folder: well formed, one Response, no attribute left to the
provider's own value. usage: well_formed.py FOLDER"""
import glob
import sys
import xml.etree.ElementTree as ET

WRITTEN = {
    "Gather": "input action method numDigits finishOnKey timeout actionOnEmptyResult bargeIn",
    "Say": "language voice loop",
    "Play": "loop",
    "Redirect": "method",
    "Pause": "length",
    "Enqueue": "action method waitUrl waitUrlMethod maxQueueSize",
    "Speak": "language voice loop",
    "GetInput": "action method inputType executionTimeout digitEndTimeout retries numDigits "
                "finishOnKey redirect log",
    "Wait": "length silence beep",
}
DIALS = {
    "twiml": "action method timeout timeLimit callerId hangupOnStar answerOnBridge record trim",
    "plivo": "action method timeout timeLimit callerId hangupOnStar redirect",
}
RECORDS = {
    "twiml": "action method maxLength timeout finishOnKey playBeep trim transcribe "
             "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent",
    "plivo": "action method maxLength timeout finishOnKey playBeep fileFormat redirect "
             "recordSession startOnDialAnswer recordChannelType callbackUrl callbackMethod",
}

files = sorted(glob.glob(sys.argv[1] + "/*/*.xml"))
bad = 0
for path in files:
    kind = path.split("/")[-2]
    wanted = dict(WRITTEN, Dial=DIALS[kind], Record=RECORDS[kind])
    root = ET.parse(path).getroot()
    if root.tag != "Response":
        bad += 1
        print(f"{path}: <{root.tag}> is no Response")
    for e in root.iter():
        if e.find("Queue") is not None:
            continue  # an agent's own call: no flow waits for its end
        missing = set(wanted.get(e.tag, "").split()) - set(e.attrib)
        if missing:
            bad += 1
            print(f"{path}: <{e.tag}> without {' '.join(sorted(missing))}")
print(f"{len(files)} documents, {bad} faults")
sys.exit(1 if bad or not files else 0)
